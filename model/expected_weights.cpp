#include "model/expected_weights.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <iterator>
#include <span>

#include "runtime/error.h"

namespace assay {

// What a dimension of a weight is in the config.
enum class Size { none, hidden, intermediate, heads, key_value_heads, vocab, experts };

// A * in a name stands for the number of an expert.
struct ExpectedWeight {
    std::string_view name, gguf_name;
    Size rows, columns;                 // rows is none for a vector
    std::string_view second_name = "";  // Hugging Face's since transformers 5
};

const Naming hugging_face_naming{"model.layers.", &ExpectedWeight::second_name};
const Naming gguf_naming{"blk.", &ExpectedWeight::gguf_name};

namespace {

std::uint64_t size_of(Size size, const Config& c) {
    switch (size) {
        case Size::none:
            return 0;
        case Size::hidden:
            return c.hidden_size;
        case Size::intermediate:
            return c.intermediate_size;
        case Size::heads:
            return std::uint64_t{c.num_attention_heads} * c.head_dim;
        case Size::key_value_heads:
            return std::uint64_t{c.num_key_value_heads} * c.head_dim;
        case Size::vocab:
            return c.vocab_size;
        case Size::experts:
            return c.num_local_experts;
    }
    return 0;
}

constexpr std::string_view head = "lm_head.weight", layer_prefix = "model.layers.";

constexpr std::array outer_weights{
    ExpectedWeight{"model.embed_tokens.weight", "token_embd.weight", Size::vocab, Size::hidden},
    ExpectedWeight{"model.norm.weight", "output_norm.weight", Size::none, Size::hidden},
    ExpectedWeight{head, "output.weight", Size::vocab, Size::hidden},
};

// Below model.layers.N. and blk.N.: of every layer,
constexpr std::array layer_weights{
    ExpectedWeight{"input_layernorm.weight", "attn_norm.weight", Size::none, Size::hidden},
    ExpectedWeight{"self_attn.q_proj.weight", "attn_q.weight", Size::heads, Size::hidden},
    ExpectedWeight{"self_attn.k_proj.weight", "attn_k.weight", Size::key_value_heads, Size::hidden},
    ExpectedWeight{"self_attn.v_proj.weight", "attn_v.weight", Size::key_value_heads, Size::hidden},
    ExpectedWeight{"self_attn.o_proj.weight", "attn_output.weight", Size::hidden, Size::heads},
    ExpectedWeight{"post_attention_layernorm.weight", "ffn_norm.weight", Size::none, Size::hidden},
};
// of a dense one,
constexpr std::array dense_weights{
    ExpectedWeight{"mlp.gate_proj.weight", "ffn_gate.weight", Size::intermediate, Size::hidden},
    ExpectedWeight{"mlp.up_proj.weight", "ffn_up.weight", Size::intermediate, Size::hidden},
    ExpectedWeight{"mlp.down_proj.weight", "ffn_down.weight", Size::hidden, Size::intermediate},
};
// and of one with experts.
constexpr std::array sparse_weights{
    ExpectedWeight{"block_sparse_moe.gate.weight", "ffn_gate_inp.weight", Size::experts,
                   Size::hidden, "mlp.gate.weight"},
    ExpectedWeight{"block_sparse_moe.experts.*.w1.weight", "ffn_gate.*.weight", Size::intermediate,
                   Size::hidden},
    ExpectedWeight{"block_sparse_moe.experts.*.w2.weight", "ffn_down.*.weight", Size::hidden,
                   Size::intermediate},
    ExpectedWeight{"block_sparse_moe.experts.*.w3.weight", "ffn_up.*.weight", Size::intermediate,
                   Size::hidden},
};
constexpr const ExpectedWeight *w1 = &sparse_weights[1], *w2 = &sparse_weights[2],
                               *w3 = &sparse_weights[3];

// One tensor for all experts of a layer, (experts, rows, columns): the rows are those of the first
// matrix, then those of the second if there is one.
struct Stack {
    std::string_view name;
    const ExpectedWeight *first, *second = nullptr;
};
constexpr std::array stacks{
    Stack{"mlp.experts.gate_up_proj", w1, w3}, Stack{"mlp.experts.down_proj", w2},
    Stack{"ffn_gate_exps.weight", w1},         Stack{"ffn_down_exps.weight", w2},
    Stack{"ffn_up_exps.weight", w3},
};

std::span<const ExpectedWeight> feed_forward_weights(const Config& config) {
    if (config.num_local_experts == 0) return dense_weights;
    return sparse_weights;
}

// Below `limit` and written as a number is.
std::optional<std::uint32_t> number_below(std::uint32_t limit, std::string_view text) {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || value >= limit || text != std::to_string(value))
        return std::nullopt;
    return value;
}

struct InLayer {
    std::uint32_t layer;
    std::string_view name;  // below the layer's prefix
};

// Nothing for what belongs to none of the config's layers.
std::optional<InLayer> in_layer(std::string_view name, std::string_view prefix,
                                const Config& config) {
    if (!name.starts_with(prefix)) return std::nullopt;
    name.remove_prefix(prefix.size());
    const auto dot = name.find('.');
    const auto layer = number_below(config.num_hidden_layers, name.substr(0, dot));
    if (dot == name.npos || !layer) return std::nullopt;
    return InLayer{*layer, name.substr(dot + 1)};
}

// What the * of the pattern stands for, "" if it has none. Nothing if the name is another one.
std::optional<std::string_view> match(std::string_view pattern, std::string_view name) {
    const auto star = pattern.find('*');
    if (star == pattern.npos)
        return name == pattern ? std::optional<std::string_view>("") : std::nullopt;
    const std::string_view before = pattern.substr(0, star), after = pattern.substr(star + 1);
    if (name.size() <= before.size() + after.size() || !name.starts_with(before) ||
        !name.ends_with(after))
        return std::nullopt;
    return name.substr(star, name.size() - before.size() - after.size());
}

std::string layer_weight(std::uint32_t layer, const ExpectedWeight& weight,
                         std::string_view expert) {
    std::string name = std::string(layer_prefix) + std::to_string(layer) + ".";
    for (const char c : weight.name) c == '*' ? name += expert : name += c;
    return name;
}

std::optional<std::string> new_name(std::string_view name, const Naming& naming,
                                    const Config& config) {
    for (const ExpectedWeight& w : outer_weights)
        if (w.*naming.name == name) return std::string(w.name);
    const auto part = in_layer(name, naming.layer_prefix, config);
    if (!part) return std::nullopt;
    for (const auto weights :
         {std::span<const ExpectedWeight>(layer_weights), feed_forward_weights(config)})
        for (const ExpectedWeight& w : weights)
            if (const auto expert = match(w.*naming.name, part->name))
                return layer_weight(part->layer, w, *expert);
    return std::nullopt;
}

// Whether the tensor holds a matrix of every expert of a layer.
const Stack* find_stack(std::string_view name, const Naming& naming, const Config& config) {
    const auto part = in_layer(name, naming.layer_prefix, config);
    if (!part || config.num_local_experts == 0) return nullptr;
    const auto found = std::ranges::find(stacks, part->name, &Stack::name);
    return found == stacks.end() ? nullptr : &*found;
}

std::vector<FileTensor> cut(FileTensor tensor, const Stack& stack, const Naming& naming,
                            const Config& config, const std::string& where) {
    const std::uint64_t rows = size_of(stack.first->rows, config),
                        columns = size_of(stack.first->columns, config),
                        matrices = stack.second ? 2 : 1;
    check_weight(tensor, {config.num_local_experts, matrices * rows, columns}, where + tensor.name);
    const std::uint32_t layer = in_layer(tensor.name, naming.layer_prefix, config)->layer;
    const std::uint64_t bytes = tensor.data.size() / (config.num_local_experts * matrices);
    std::vector<FileTensor> parts;
    for (std::uint32_t expert = 0; expert < config.num_local_experts; ++expert)
        for (const ExpectedWeight* weight : {stack.first, stack.second})
            if (weight)
                parts.push_back({layer_weight(layer, *weight, std::to_string(expert)),
                                 tensor.format,
                                 {rows, columns},
                                 tensor.data.subspan(parts.size() * bytes, bytes)});
    return parts;
}

}  // namespace

void name_weights(FileTensors& found, const Naming& naming, const Config& config,
                  const std::string& where) {
    for (UnsupportedTensor& tensor : found.unsupported) {
        if (find_stack(tensor.name, naming, config))
            throw Error(where + tensor.name + ": type " + printable(tensor.type) +
                        " is not supported");
        if (auto name = new_name(tensor.name, naming, config)) tensor.name = *std::move(name);
    }
    std::vector<FileTensor> named;
    for (FileTensor& tensor : found.tensors) {
        if (const Stack* stack = find_stack(tensor.name, naming, config)) {
            std::ranges::move(cut(std::move(tensor), *stack, naming, config, where),
                              std::back_inserter(named));
            continue;
        }
        if (auto name = new_name(tensor.name, naming, config)) tensor.name = *std::move(name);
        named.push_back(std::move(tensor));
    }
    found.tensors = std::move(named);
}

std::optional<std::vector<std::uint64_t>> expected_shape(std::string_view name,
                                                         const Config& config,
                                                         const std::string& where) {
    const auto shape = [&](const ExpectedWeight& w) {
        std::vector<std::uint64_t> sizes{size_of(w.columns, config)};
        if (w.rows != Size::none) sizes.insert(sizes.begin(), size_of(w.rows, config));
        return sizes;
    };
    for (const ExpectedWeight& w : outer_weights)
        if (w.name == name && (w.name != head || !config.tie_word_embeddings)) return shape(w);
    const auto part = in_layer(name, layer_prefix, config);
    if (!part) return std::nullopt;
    for (const ExpectedWeight& w : layer_weights)
        if (w.name == part->name) return shape(w);
    for (const ExpectedWeight& w : feed_forward_weights(config))
        if (const auto expert = match(w.name, part->name)) {
            if (!expert->empty() && !number_below(config.num_local_experts, *expert))
                throw Error(where + printable(name) + ": in the file, its config has " +
                            std::to_string(config.num_local_experts) + " experts");
            return shape(w);
        }
    return std::nullopt;
}

void check_weight(FileTensor& tensor, const std::vector<std::uint64_t>& shape,
                  const std::string& where) {
    const auto without_outer_ones = [](std::span<const std::uint64_t> sizes) {
        while (sizes.size() > 1 && sizes.front() == 1) sizes = sizes.subspan(1);
        return sizes;
    };
    if (!std::ranges::equal(without_outer_ones(tensor.shape), without_outer_ones(shape)))
        throw Error(where + ": " + shape_text(tensor.shape) + " in the file, " + shape_text(shape) +
                    " from its config");
    if (shape.size() == 1 && info(tensor.format).block_size != 1)
        throw Error(where + ": a vector in " + std::string(info(tensor.format).name) +
                    ", only f32, f16 and bf16 are supported for vectors");
    tensor.shape = shape;
}

std::string gguf_name(std::string_view name, const Config& config) {
    for (const ExpectedWeight& w : outer_weights)
        if (w.name == name) return std::string(w.gguf_name);
    const auto part = in_layer(name, layer_prefix, config);
    assert(part);
    std::string below;
    for (const auto weights :
         {std::span<const ExpectedWeight>(layer_weights), feed_forward_weights(config)})
        for (const ExpectedWeight& w : weights)
            if (match(w.name, part->name)) below = w.gguf_name;
    if (const auto expert = below.find(".*"); expert != below.npos)
        below.replace(expert, 2, "_exps");
    return std::string(gguf_naming.layer_prefix) + std::to_string(part->layer) + "." + below;
}

void for_each_weight(const Config& config, const std::function<void(const std::string&)>& visit) {
    for (const ExpectedWeight& w : outer_weights)
        if (w.name != head || !config.tie_word_embeddings) visit(std::string(w.name));
    for (std::uint32_t layer = 0; layer < config.num_hidden_layers; ++layer) {
        for (const ExpectedWeight& w : layer_weights) visit(layer_weight(layer, w, ""));
        for (const ExpectedWeight& w : feed_forward_weights(config)) {
            const bool of_experts = w.name.find('*') != w.name.npos;
            for (std::uint32_t e = 0; e < (of_experts ? config.num_local_experts : 1); ++e)
                visit(layer_weight(layer, w, std::to_string(e)));
        }
    }
}

}  // namespace assay
