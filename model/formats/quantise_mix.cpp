// The rules are those of llama.cpp 0.7, compared with what `llama-quantize --dry-run` prints for
// 83 shapes of models and every mix.
#include "model/formats/quantise_mix.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

namespace assay {
namespace {

constexpr std::array all_mixes{
    Mix{"F32", 0, Format::f32},   Mix{"F16", 1, Format::f16},    Mix{"BF16", 32, Format::bf16},
    Mix{"Q8_0", 7, Format::q8_0}, Mix{"Q6_K", 18, Format::q6_k}, Mix{"Q4_0", 2, Format::q4_0},
};

bool equal_in_any_case(std::string_view a, std::string_view b) {
    const auto upper = [](char c) { return std::toupper(static_cast<unsigned char>(c)); };
    return std::ranges::equal(a, b, {}, upper, upper);
}

}  // namespace

std::span<const Mix> mixes() { return all_mixes; }

const Mix* find_mix(std::string_view name) {
    const auto same = [&](const Mix& mix) { return equal_in_any_case(mix.name, name); };
    const auto found = std::ranges::find_if(all_mixes, same);
    return found == all_mixes.end() ? nullptr : &*found;
}

Format choose_format(const Mix& mix, const MixedModel& model, std::string_view tensor,
                     std::uint64_t columns) {
    if (tensor.find("norm.") != tensor.npos || tensor.find("gate_inp.") != tensor.npos)
        return Format::f32;
    Format format = mix.format;
    const bool is_head = tensor == (model.tied_embeddings ? "token_embd.weight" : "output.weight");
    if (is_head && info(format).block_size != 1 && format != Format::q8_0) format = Format::q6_k;
    return columns % info(format).block_size == 0 ? format : Format::q8_0;
}

}  // namespace assay
