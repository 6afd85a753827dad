#include "runtime/format.h"

namespace assay {
namespace {

// clang-format off
constexpr FormatInfo table_row(Format format) {
    switch (format) {
    //                              name       block      unit  ggml  safetensors, integers
    case Format::f32:     return {"f32",     1,   4,    4,    0,    "F32"};
    case Format::f16:     return {"f16",     1,   2,    2,    1,    "F16"};
    case Format::bf16:    return {"bf16",    1,   2,    2,    30,   "BF16"};
    case Format::q8_0:    return {"q8_0",    32,  34,   2,    8,    "", Integers::q8_0};
    case Format::q4_0:    return {"q4_0",    32,  18,   2,    2,    "", Integers::q4_0};
    case Format::q4_1:    return {"q4_1",    32,  20,   2,    3,    "", Integers::q4_1};
    case Format::q5_0:    return {"q5_0",    32,  22,   2,    6,    "", Integers::q5_0};
    case Format::q5_1:    return {"q5_1",    32,  24,   2,    7,    "", Integers::q5_1};
    case Format::q2_k:    return {"q2_k",    256, 84,   2,    10,   "", Integers::q2_k};
    case Format::q3_k:    return {"q3_k",    256, 110,  2,    11,   "", Integers::q3_k};
    case Format::q4_k:    return {"q4_k",    256, 144,  2,    12,   "", Integers::q4_k};
    case Format::q5_k:    return {"q5_k",    256, 176,  2,    13,   "", Integers::q5_k};
    case Format::q6_k:    return {"q6_k",    256, 210,  2,    14,   "", Integers::q6_k};
    case Format::iq4_nl:  return {"iq4_nl",  32,  18,   2,    20,   "", Integers::iq4_nl};
    case Format::iq4_xs:  return {"iq4_xs",  256, 136,  2,    23,   "", Integers::iq4_xs};
    case Format::iq3_s:   return {"iq3_s",   256, 110,  2,    21,   ""};
    case Format::iq3_xxs: return {"iq3_xxs", 256, 98,   2,    18,   ""};
    case Format::iq2_s:   return {"iq2_s",   256, 82,   2,    22,   ""};
    case Format::iq2_xs:  return {"iq2_xs",  256, 74,   2,    17,   ""};
    case Format::iq2_xxs: return {"iq2_xxs", 256, 66,   2,    16,   ""};
    case Format::iq1_s:   return {"iq1_s",   256, 50,   2,    19,   ""};
    case Format::iq1_m:   return {"iq1_m",   256, 56,   2,    29,   ""};
    case Format::mxfp4:   return {"mxfp4",   64,  34,   2,    39,   ""};  // two blocks of 32, to be whole units
    case Format::nvfp4:   return {"nvfp4",   64,  36,   2,    40,   ""};
    case Format::tq1_0:   return {"tq1_0",   256, 54,   2,    34,   ""};
    case Format::tq2_0:   return {"tq2_0",   256, 66,   2,    35,   ""};
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

std::optional<Format> format_from_name(std::string_view name) {
    return find([=](const FormatInfo& f) { return f.name == name; });
}

std::uint64_t row_bytes(Format format, std::uint64_t columns) {
    return columns / info(format).block_size * info(format).block_bytes;
}

}  // namespace assay
