// The rules are those of llama.cpp 0.7, compared with what `llama-quantize --dry-run` prints for
// 83 shapes of models and every mix.
#include "model/formats/quantise_mix.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <string>
#include <utility>

namespace assay {
namespace {

constexpr std::array all_mixes{
    Mix{"F32", 0, Format::f32},        Mix{"F16", 1, Format::f16},
    Mix{"BF16", 32, Format::bf16},     Mix{"Q8_0", 7, Format::q8_0},
    Mix{"Q6_K", 18, Format::q6_k},     Mix{"Q5_K_M", 17, Format::q5_k},
    Mix{"Q5_K_S", 16, Format::q5_k},   Mix{"Q5_1", 9, Format::q5_1},
    Mix{"Q5_0", 8, Format::q5_0},      Mix{"Q4_K_M", 15, Format::q4_k},
    Mix{"Q4_K_S", 14, Format::q4_k},   Mix{"Q4_1", 3, Format::q4_1},
    Mix{"IQ4_NL", 25, Format::iq4_nl}, Mix{"IQ4_XS", 30, Format::iq4_xs},
    Mix{"Q4_0", 2, Format::q4_0},      Mix{"Q3_K_L", 13, Format::q3_k},
    Mix{"Q3_K_M", 12, Format::q3_k},   Mix{"Q3_K_S", 11, Format::q3_k},
    Mix{"Q2_K", 10, Format::q2_k},
};

// Other names of mixes.
constexpr std::array<std::array<std::string_view, 2>, 3> aliases{
    {{"Q3_K", "Q3_K_M"}, {"Q4_K", "Q4_K_M"}, {"Q5_K", "Q5_K_M"}}};

// Which of a model's layers.
bool all(std::uint32_t, const MixedModel&) { return true; }
bool first_two(std::uint32_t layer, const MixedModel&) { return layer < 2; }
bool first_four(std::uint32_t layer, const MixedModel&) { return layer < 4; }
bool first_16th(std::uint32_t layer, const MixedModel& m) { return layer < m.layers / 16; }
bool first_8th(std::uint32_t layer, const MixedModel& m) { return layer < m.layers / 8; }
bool ends_and_thirds(std::uint32_t layer, const MixedModel& m) {
    const std::uint32_t end = m.layers / 8;
    return layer < end || layer >= 7 * m.layers / 8 || (layer - end) % 3 == 2;
}
// All layers, where at least four heads share a key-value head.
bool grouped(std::uint32_t, const MixedModel& m) { return m.heads >= 4 * m.key_value_heads; }
bool eight_experts(std::uint32_t, const MixedModel& m) { return m.experts == 8; }
bool not_eight_experts(std::uint32_t, const MixedModel& m) { return m.experts != 8; }
bool plain_first_8th(std::uint32_t layer, const MixedModel& m) {
    return !m.has_importance && first_8th(layer, m);
}
bool weighted_first_8th(std::uint32_t layer, const MixedModel& m) {
    return m.has_importance && first_8th(layer, m);
}

constexpr std::string_view value = "attn_v.", output = "attn_output.", down = "ffn_down";

// The first row that fits gives a tensor its format.
struct Choice {
    std::string_view mix;
    std::string_view tensor;  // its name begins so, below blk.N.
    bool (*layers)(std::uint32_t layer, const MixedModel& model);
    Format format;
};

constexpr std::array choices{
    Choice{"Q2_K", value, grouped, Format::q4_k},
    Choice{"Q2_K", value, all, Format::q3_k},
    Choice{"Q2_K", output, eight_experts, Format::q5_k},
    Choice{"Q2_K", output, all, Format::q3_k},
    Choice{"Q2_K", down, all, Format::q3_k},
    Choice{"Q3_K_S", output, eight_experts, Format::q5_k},
    Choice{"Q3_K_M", value, first_two, Format::q5_k},
    Choice{"Q3_K_M", value, all, Format::q4_k},
    Choice{"Q3_K_M", output, eight_experts, Format::q5_k},
    Choice{"Q3_K_M", output, all, Format::q4_k},
    Choice{"Q3_K_M", down, first_16th, Format::q5_k},
    Choice{"Q3_K_M", down, all, Format::q4_k},
    Choice{"Q3_K_L", value, all, Format::q5_k},
    Choice{"Q3_K_L", output, not_eight_experts, Format::q5_k},
    Choice{"Q3_K_L", down, all, Format::q5_k},
    Choice{"Q4_0", down, weighted_first_8th, Format::q4_1},
    Choice{"IQ4_NL", value, grouped, Format::q5_k},
    Choice{"IQ4_NL", output, eight_experts, Format::q5_k},
    Choice{"IQ4_NL", down, plain_first_8th, Format::q5_k},
    Choice{"IQ4_XS", value, grouped, Format::q5_k},
    Choice{"IQ4_XS", output, eight_experts, Format::q5_k},
    Choice{"IQ4_XS", down, plain_first_8th, Format::q5_k},
    Choice{"Q4_K_S", value, first_four, Format::q5_k},
    Choice{"Q4_K_S", output, eight_experts, Format::q5_k},
    Choice{"Q4_K_S", down, first_8th, Format::q5_k},
    Choice{"Q4_K_M", value, ends_and_thirds, Format::q6_k},
    Choice{"Q4_K_M", output, eight_experts, Format::q5_k},
    Choice{"Q4_K_M", down, ends_and_thirds, Format::q6_k},
    Choice{"Q5_0", down, weighted_first_8th, Format::q5_1},
    Choice{"Q5_K_M", value, ends_and_thirds, Format::q6_k},
    Choice{"Q5_K_M", down, ends_and_thirds, Format::q6_k},
};

// Where rows are no whole blocks of 256.
constexpr std::array<std::pair<Format, Format>, 6> smaller_blocks{{
    {Format::q2_k, Format::q4_0},
    {Format::q3_k, Format::q4_0},
    {Format::q4_k, Format::q5_0},
    {Format::q5_k, Format::q5_1},
    {Format::q6_k, Format::q8_0},
    {Format::iq4_xs, Format::iq4_nl},
}};

// The layer of "blk.7.attn_v.weight" is 7, its kind "attn_v.weight".
struct InLayer {
    std::uint32_t layer = 0;
    std::string_view kind;
};

InLayer in_layer(std::string_view tensor) {
    InLayer found;
    if (!tensor.starts_with("blk.")) return found;
    tensor.remove_prefix(4);
    const char* end = tensor.data() + tensor.size();
    const char* dot = std::from_chars(tensor.data(), end, found.layer).ptr;
    if (dot != end) found.kind = {dot + 1, end};
    return found;
}

Format choose_in_layer(const Mix& mix, const MixedModel& model, std::string_view tensor) {
    const auto [layer, kind] = in_layer(tensor);
    const bool is_value = kind.starts_with(value);
    if (model.experts == 8 && (is_value || kind.starts_with("attn_k."))) return Format::q8_0;
    Format format = mix.format;
    for (const Choice& choice : choices)
        if (choice.mix == mix.name && kind.starts_with(choice.tensor) &&
            choice.layers(layer, model)) {
            format = choice.format;
            break;
        }
    // Llama-2 70B's value matrices are small beside the rest.
    const bool is_70b = model.layers == 80 && model.heads != model.key_value_heads;
    if (is_70b && is_value && (format == Format::q3_k || format == Format::q4_k))
        format = Format::q5_k;
    return format;
}

bool equal_in_any_case(std::string_view a, std::string_view b) {
    const auto upper = [](char c) { return std::toupper(static_cast<unsigned char>(c)); };
    return std::ranges::equal(a, b, {}, upper, upper);
}

}  // namespace

std::span<const Mix> mixes() { return all_mixes; }

const Mix* find_mix(std::string_view name) {
    for (const auto& [alias, meant] : aliases)
        if (equal_in_any_case(alias, name)) name = meant;
    const auto same = [&](const Mix& mix) { return equal_in_any_case(mix.name, name); };
    const auto found = std::ranges::find_if(all_mixes, same);
    return found == all_mixes.end() ? nullptr : &*found;
}

Format choose_format(const Mix& mix, const MixedModel& model, std::string_view tensor,
                     std::uint64_t columns) {
    if (tensor.find("norm.") != tensor.npos || tensor.find("gate_inp.") != tensor.npos)
        return Format::f32;
    Format format = mix.format;
    if (info(format).block_size == 1) return format;
    if (tensor == (model.tied_embeddings ? "token_embd.weight" : "output.weight"))
        format = format == Format::q8_0 ? Format::q8_0 : Format::q6_k;
    else
        format = choose_in_layer(mix, model, tensor);
    if (columns % info(format).block_size != 0)
        if (const auto* near =
                std::ranges::find(smaller_blocks, format, &std::pair<Format, Format>::first);
            near != smaller_blocks.end())
            format = near->second;
    return columns % info(format).block_size == 0 ? format : Format::f16;
}

double bits_per_weight(const Mix& mix) {
    constexpr std::uint64_t hidden = 4096, intermediate = 14336, vocabulary = 32000;
    constexpr MixedModel model{.layers = 32, .heads = 32, .key_value_heads = 8};
    double bits = 0, weights = 0;
    const auto count = [&](const std::string& tensor, std::uint64_t rows, std::uint64_t columns) {
        const FormatInfo& block = info(choose_format(mix, model, tensor, columns));
        const double size = static_cast<double>(rows * columns);
        bits += size * 8 * block.block_bytes / block.block_size;
        weights += size;
    };
    count("token_embd.weight", vocabulary, hidden);
    count("output.weight", vocabulary, hidden);
    for (std::uint32_t layer = 0; layer < model.layers; ++layer) {
        const std::string prefix = "blk." + std::to_string(layer) + ".";
        count(prefix + "attn_q.weight", hidden, hidden);
        count(prefix + "attn_k.weight", hidden / 4, hidden);
        count(prefix + "attn_v.weight", hidden / 4, hidden);
        count(prefix + "attn_output.weight", hidden, hidden);
        count(prefix + "ffn_gate.weight", intermediate, hidden);
        count(prefix + "ffn_up.weight", intermediate, hidden);
        count(prefix + "ffn_down.weight", hidden, intermediate);
    }
    return bits / weights;
}

}  // namespace assay
