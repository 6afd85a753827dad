#include "runtime/format.h"

namespace assay {
namespace {

// clang-format off
constexpr FormatInfo table_row(Format format) {
    switch (format) {
    //                          name    block        unit  ggml  safetensors
    case Format::f32:  return {"f32",   1,  4,       4,    0,    "F32"};
    case Format::f16:  return {"f16",   1,  2,       2,    1,    "F16"};
    case Format::bf16: return {"bf16",  1,  2,       2,    30,   "BF16"};
    case Format::q8_0: return {"q8_0",  32, 34,      2,    8,    ""};
    case Format::q4_0: return {"q4_0",  32, 18,      2,    2,    ""};
    case Format::q6_k: return {"q6_k",  256, 210,    2,    14,   ""};
    }
    return {};
}
// clang-format on

constexpr std::array<FormatInfo, axis_size<Format>> table = [] {
    std::array<FormatInfo, axis_size<Format>> rows{};
    for (std::uint16_t i = 0; i < rows.size(); ++i) rows[i] = table_row(static_cast<Format>(i));
    return rows;
}();

template <class Matches>
std::optional<Format> find(Matches matches) {
    for (std::uint16_t i = 0; i < table.size(); ++i)
        if (matches(table[i])) return static_cast<Format>(i);
    return std::nullopt;
}

}  // namespace

const FormatInfo& info(Format format) { return table[static_cast<std::size_t>(format)]; }

std::optional<Format> format_from_ggml(std::uint32_t type) {
    return find([=](const FormatInfo& f) { return f.ggml_type == type; });
}

std::optional<Format> format_from_safetensors(std::string_view dtype) {
    return find(
        [=](const FormatInfo& f) { return !dtype.empty() && f.safetensors_dtype == dtype; });
}

std::uint64_t row_bytes(Format format, std::uint64_t columns) {
    return columns / info(format).block_size * info(format).block_bytes;
}

}  // namespace assay
