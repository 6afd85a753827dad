#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <numeric>
#include <stdexcept>

#include "bench/commands.h"
#include "bench/random_blocks.h"
#include "model/gguf_model.h"

namespace assay::bench {
namespace {

struct ModelShape {
    const char* name;
    std::uint32_t hidden, layers, heads, kv_heads, feed_forward, context;
    std::uint32_t experts = 0, experts_used = 0;  // 0: a dense model
};

constexpr ModelShape shapes[] = {
    {"tiny", 256, 4, 4, 2, 704, 4096},
    {"1b", 2048, 16, 32, 8, 5632, 4096},
    {"7b-8l", 4096, 8, 32, 8, 14336, 32768},
    {"7b", 4096, 32, 32, 8, 14336, 32768},
    {"13b-llama", 5120, 40, 40, 40, 13824, 4096},
    {"tiny-moe", 256, 4, 4, 2, 704, 4096, 4, 2},
    {"8x7b-4l", 4096, 4, 32, 8, 14336, 32768, 8, 2},
};

// 32000 pieces that cut any text: the special ones, the bytes, printable characters, and made-up
// words.
Vocabulary make_vocabulary() {
    constexpr std::size_t count = 32000;
    const std::string space = "\xe2\x96\x81";  // as SentencePiece writes a space
    Vocabulary v;
    const auto add = [&](std::string piece, float score, Vocabulary::Type type) {
        v.pieces.push_back(std::move(piece));
        v.scores.push_back(score);
        v.types.push_back(type);
    };
    add("<unk>", 0, Vocabulary::unknown);
    add("<s>", 0, Vocabulary::control);
    add("</s>", 0, Vocabulary::control);
    for (unsigned b = 0; b < 256; ++b) {
        char name[8];
        std::snprintf(name, sizeof name, "<0x%02X>", b);
        add(name, 0, Vocabulary::byte);
    }
    auto next_score = [&] { return -static_cast<float>(v.pieces.size() - 259); };
    add(space, next_score(), Vocabulary::normal);
    for (char c = '!'; c <= '~'; ++c) add(std::string(1, c), next_score(), Vocabulary::normal);
    for (std::size_t word = 0; v.pieces.size() < count; ++word) {  // aa, ab, ... zz, aaa, ...
        std::string letters;
        for (std::size_t rest = word + 26;; rest = rest / 26 - 1) {
            letters.insert(letters.begin(), static_cast<char>('a' + rest % 26));
            if (rest < 26) break;
        }
        add(word % 2 == 0 ? space + letters : letters, next_score(), Vocabulary::normal);
    }
    return v;
}

struct PlannedTensor {
    std::string name;
    Format format;
    std::vector<std::uint64_t>
        shape;  // outermost first; of one dimension: a norm's weight, all ones
    double deviation = 0;

    std::uint64_t columns() const { return shape.back(); }
    std::uint64_t rows() const {
        return std::accumulate(shape.begin(), shape.end() - 1, std::uint64_t{1},
                               std::multiplies<>());
    }
};

std::vector<PlannedTensor> plan(const ModelShape& m, std::uint32_t vocabulary, Format format,
                                Format head_format) {
    const double wide = 1 / std::sqrt(m.hidden), residual = wide / std::sqrt(2.0 * m.layers),
                 down = residual / std::sqrt(m.feed_forward) / wide;
    const std::uint32_t kv = m.hidden / m.heads * m.kv_heads;
    std::vector<PlannedTensor> t{{"token_embd.weight", format, {vocabulary, m.hidden}, 0.02}};
    for (std::uint32_t layer = 0; layer < m.layers; ++layer) {
        const std::string block = "blk." + std::to_string(layer) + ".";
        t.push_back({block + "attn_norm.weight", Format::f32, {m.hidden}});
        t.push_back({block + "attn_q.weight", format, {m.hidden, m.hidden}, wide});
        t.push_back({block + "attn_k.weight", format, {kv, m.hidden}, wide});
        t.push_back({block + "attn_v.weight", format, {kv, m.hidden}, wide});
        t.push_back({block + "attn_output.weight", format, {m.hidden, m.hidden}, residual});
        t.push_back({block + "ffn_norm.weight", Format::f32, {m.hidden}});
        if (m.experts == 0) {
            t.push_back({block + "ffn_gate.weight", format, {m.feed_forward, m.hidden}, wide});
            t.push_back({block + "ffn_up.weight", format, {m.feed_forward, m.hidden}, wide});
            t.push_back({block + "ffn_down.weight", format, {m.hidden, m.feed_forward}, down});
            continue;
        }
        const std::vector<std::uint64_t> up{m.experts, m.feed_forward, m.hidden};
        t.push_back({block + "ffn_gate_inp.weight", Format::f32, {m.experts, m.hidden}, wide});
        t.push_back({block + "ffn_gate_exps.weight", format, up, wide});
        t.push_back({block + "ffn_up_exps.weight", format, up, wide});
        t.push_back(
            {block + "ffn_down_exps.weight", format, {m.experts, m.hidden, m.feed_forward}, down});
    }
    t.push_back({"output_norm.weight", Format::f32, {m.hidden}});
    t.push_back({"output.weight", head_format, {vocabulary, m.hidden}, wide});
    return t;
}

Config config_of(const ModelShape& m, std::size_t vocabulary) {
    Config c;
    c.hidden_size = m.hidden;
    c.intermediate_size = m.feed_forward;
    c.num_hidden_layers = m.layers;
    c.num_attention_heads = m.heads;
    c.num_key_value_heads = m.kv_heads;
    c.head_dim = m.hidden / m.heads;
    c.vocab_size = static_cast<std::uint32_t>(vocabulary);
    c.max_position_embeddings = m.context;
    c.rms_norm_eps = 1e-5F;
    c.rope_theta = m.experts == 0 ? 10000.0F : 1e6F;
    c.num_local_experts = m.experts;
    c.num_experts_per_tok = m.experts_used;
    return c;
}

struct Options {
    std::string out, shape = "7b", type = "q4_0", head_type = "q6_k", tokenizer;
};

void run(const Options& options) {
    const auto* shape = std::ranges::find(shapes, options.shape, &ModelShape::name);
    if (shape == std::end(shapes)) throw std::runtime_error(options.shape + ": no such shape");
    const Vocabulary vocabulary = options.tokenizer.empty()
                                      ? make_vocabulary()
                                      : Tokenizer::from_file(options.tokenizer).vocabulary();
    const auto tensors = plan(*shape, static_cast<std::uint32_t>(vocabulary.pieces.size()),
                              format_named(options.type), format_named(options.head_type));
    GgufWriter file(options.out);
    describe(config_of(*shape, vocabulary.pieces.size()), "synthetic-" + std::string(shape->name),
             vocabulary, file);
    for (const PlannedTensor& t : tensors) {
        file.add_tensor(t.name, t.format, t.shape);
    }
    file.write_header();
    RandomBlocks random(1);
    std::vector<std::byte> rows;
    for (std::size_t number = 0; number < tensors.size(); ++number) {
        const PlannedTensor& t = tensors[number];
        if (t.shape.size() == 1) {
            const std::vector<float> ones(t.columns(), 1);
            file.write(number, 0, std::as_bytes(std::span(ones)));
            continue;
        }
        constexpr std::uint64_t rows_at_once = 256;
        for (std::uint64_t row = 0; row < t.rows(); row += rows_at_once) {
            rows.resize(std::min(rows_at_once, t.rows() - row) * row_bytes(t.format, t.columns()));
            random.fill(t.format, t.deviation, rows);
            file.write(number, row * row_bytes(t.format, t.columns()), rows);
        }
    }
    file.finish();
}

}  // namespace

void add_synth(CLI::App& app) {
    auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand(
        "synth", "Write a GGUF file of a real model's shape with random weights");
    command->add_option("out", options->out, "The file to write")->required();
    command
        ->add_option("--shape", options->shape,
                     "tiny, 1b, 7b-8l (8 layers of it), 7b, 13b-llama, tiny-moe or 8x7b-4l")
        ->capture_default_str();
    command->add_option("--type", options->type, "Format of the weights: q4_0, q8_0, f16 ...")
        ->capture_default_str();
    command->add_option("--head-type", options->head_type, "Format of the output head")
        ->capture_default_str();
    command
        ->add_option("--tokenizer", options->tokenizer,
                     "A SentencePiece model; else a vocabulary is made up")
        ->check(CLI::ExistingFile);
    command->callback([options] { run(*options); });
}

}  // namespace assay::bench
