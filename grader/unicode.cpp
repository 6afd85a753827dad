#include "grader/unicode.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace assay {
namespace {

struct CodePoint {
    char32_t value;
    std::size_t bytes;
};

constexpr CodePoint invalid{0xfffd, 1};

// How a lead byte opens a sequence of `bytes` bytes; `least` rules out overlong forms.
struct Lead {
    unsigned char mask;
    unsigned char bits;
    std::size_t bytes;
    char32_t least;
};

constexpr std::array<Lead, 4> leads{{{0x80, 0x00, 1, 0x0},
                                     {0xe0, 0xc0, 2, 0x80},
                                     {0xf0, 0xe0, 3, 0x800},
                                     {0xf8, 0xf0, 4, 0x10000}}};

CodePoint first_code_point(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const auto lead = std::find_if(leads.begin(), leads.end(),
                                   [&](const Lead& l) { return (byte(0) & l.mask) == l.bits; });
    if (lead == leads.end() || lead->bytes > text.size()) return invalid;
    char32_t value = byte(0) & static_cast<unsigned char>(~lead->mask);
    for (std::size_t i = 1; i < lead->bytes; ++i) {
        if ((byte(i) & 0xc0) != 0x80) return invalid;
        value = value << 6 | (byte(i) & 0x3f);
    }
    const bool surrogate = value >= 0xd800 && value <= 0xdfff;
    if (value < lead->least || value > 0x10ffff || surrogate) return invalid;
    return {value, lead->bytes};
}

// Every script's zero; its other nine digits follow it.
constexpr std::array<char32_t, 66> zeros{
    0x0030,  0x0660,  0x06f0,  0x07c0,  0x0966,  0x09e6,  0x0a66,  0x0ae6,  0x0b66,  0x0be6,
    0x0c66,  0x0ce6,  0x0d66,  0x0de6,  0x0e50,  0x0ed0,  0x0f20,  0x1040,  0x1090,  0x17e0,
    0x1810,  0x1946,  0x19d0,  0x1a80,  0x1a90,  0x1b50,  0x1bb0,  0x1c40,  0x1c50,  0xa620,
    0xa8d0,  0xa900,  0xa9d0,  0xa9f0,  0xaa50,  0xabf0,  0xff10,  0x104a0, 0x10d30, 0x11066,
    0x110f0, 0x11136, 0x111d0, 0x112f0, 0x11450, 0x114d0, 0x11650, 0x116c0, 0x11730, 0x118e0,
    0x11950, 0x11c50, 0x11d50, 0x11da0, 0x16a60, 0x16ac0, 0x16b50, 0x1d7ce, 0x1d7d8, 0x1d7e2,
    0x1d7ec, 0x1d7f6, 0x1e140, 0x1e2f0, 0x1e950, 0x1fbf0};

}  // namespace

std::u32string decode_utf8(std::string_view text) {
    std::u32string points;
    points.reserve(text.size());
    while (!text.empty()) {
        const CodePoint point = first_code_point(text);
        points.push_back(point.value);
        text.remove_prefix(point.bytes);
    }
    return points;
}

std::size_t code_points(std::string_view text) { return decode_utf8(text).size(); }

std::size_t utf8_prefix_bytes(std::string_view text, std::size_t count) {
    std::size_t bytes = 0;
    for (; count > 0 && bytes < text.size(); --count)
        bytes += first_code_point(text.substr(bytes)).bytes;
    return bytes;
}

std::optional<std::size_t> find_invalid_utf8(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        const CodePoint point = first_code_point(text.substr(at));
        if (point.value == invalid.value && point.bytes == invalid.bytes) return at;
        at += point.bytes;
    }
    return std::nullopt;
}

bool is_space(char32_t c) {
    if (c < 0x80) return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20);
    return c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 ||
           c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

std::optional<int> digit_value(char32_t c) {
    const auto above = std::upper_bound(zeros.begin(), zeros.end(), c);
    if (above == zeros.begin() || c - *(above - 1) > 9) return std::nullopt;
    return static_cast<int>(c - *(above - 1));
}

char32_t fold_case(char32_t c) {
    if (c >= U'A' && c <= U'Z') return c - U'A' + U'a';
    return c == 0x17f ? U's' : c;  // U+017F is the long s, whose capital is S
}

}  // namespace assay
