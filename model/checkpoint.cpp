#include "model/checkpoint.h"

#include <sys/auxv.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <set>

#include "model/formats/json.h"
#include "model/formats/safetensors.h"
#include "runtime/error.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

// What a dimension of a weight is in the config.
enum class Size { none, hidden, intermediate, heads, key_value_heads, vocab };

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
    }
    return 0;
}

struct ExpectedWeight {
    std::string_view name, gguf_name;
    Size rows, columns;  // rows is none for a vector
};

constexpr std::array outer_weights{
    ExpectedWeight{"model.embed_tokens.weight", "token_embd.weight", Size::vocab, Size::hidden},
    ExpectedWeight{"model.norm.weight", "output_norm.weight", Size::none, Size::hidden},
    ExpectedWeight{"lm_head.weight", "output.weight", Size::vocab, Size::hidden},
};

// Below model.layers.N. and blk.N.
constexpr std::array layer_weights{
    ExpectedWeight{"input_layernorm.weight", "attn_norm.weight", Size::none, Size::hidden},
    ExpectedWeight{"self_attn.q_proj.weight", "attn_q.weight", Size::heads, Size::hidden},
    ExpectedWeight{"self_attn.k_proj.weight", "attn_k.weight", Size::key_value_heads, Size::hidden},
    ExpectedWeight{"self_attn.v_proj.weight", "attn_v.weight", Size::key_value_heads, Size::hidden},
    ExpectedWeight{"self_attn.o_proj.weight", "attn_output.weight", Size::hidden, Size::heads},
    ExpectedWeight{"post_attention_layernorm.weight", "ffn_norm.weight", Size::none, Size::hidden},
    ExpectedWeight{"mlp.gate_proj.weight", "ffn_gate.weight", Size::intermediate, Size::hidden},
    ExpectedWeight{"mlp.up_proj.weight", "ffn_up.weight", Size::intermediate, Size::hidden},
    ExpectedWeight{"mlp.down_proj.weight", "ffn_down.weight", Size::hidden, Size::intermediate},
};

constexpr std::string_view embedding = "model.embed_tokens.weight", head = "lm_head.weight";
constexpr std::string_view layer_prefix = "model.layers.", gguf_layer_prefix = "blk.";

// The name that Hugging Face gives to a tensor of a GGUF file; unknown ones keep theirs.
std::string translated(std::string_view name) {
    const auto same = [&](const ExpectedWeight& w) { return w.gguf_name == name; };
    if (const auto w = std::ranges::find_if(outer_weights, same); w != outer_weights.end())
        return std::string(w->name);
    const auto dot = name.find('.', gguf_layer_prefix.size());
    if (!name.starts_with(gguf_layer_prefix) || dot == name.npos) return std::string(name);
    const std::string_view layer =
        name.substr(gguf_layer_prefix.size(), dot + 1 - gguf_layer_prefix.size());
    const auto w =
        std::ranges::find(layer_weights, name.substr(dot + 1), &ExpectedWeight::gguf_name);
    if (w == layer_weights.end()) return std::string(name);
    return std::string(layer_prefix).append(layer).append(w->name);
}

// Every weight that the config asks for, by name.
std::map<std::string, const ExpectedWeight*, std::less<>> expected_weights(const Config& config) {
    std::map<std::string, const ExpectedWeight*, std::less<>> weights;
    for (const ExpectedWeight& w : outer_weights)
        if (w.name != head || !config.tie_word_embeddings) weights.emplace(w.name, &w);
    for (std::uint32_t layer = 0; layer < config.num_hidden_layers; ++layer) {
        const std::string prefix = std::string(layer_prefix) + std::to_string(layer) + ".";
        for (const ExpectedWeight& w : layer_weights)
            weights.emplace(prefix + std::string(w.name), &w);
    }
    return weights;
}

void check_weight(const FileTensor& tensor, const ExpectedWeight& weight, const Config& config,
                  const std::string& where) {
    std::vector<std::uint64_t> shape{size_of(weight.columns, config)};
    if (weight.rows != Size::none) shape.insert(shape.begin(), size_of(weight.rows, config));
    if (tensor.shape != shape)
        throw Error(where + ": " + shape_text(tensor.shape) + " in the file, " + shape_text(shape) +
                    " from its config");
    if (weight.rows == Size::none && info(tensor.format).block_size != 1)
        throw Error(where + ": a vector in " + std::string(info(tensor.format).name) +
                    ", only f32, f16 and bf16 are supported for vectors");
}

// Frequencies that scale rope per dimension (Llama 3.1) are not supported; ones change nothing.
void check_rope_frequencies(const FileTensor& tensor, const std::string& where) {
    if (tensor.format != Format::f32)
        throw Error(where + ": in " + std::string(info(tensor.format).name) + ", f32 is needed");
    for (std::size_t at = 0; at < tensor.data.size(); at += sizeof(float)) {
        float value = 0;
        std::memcpy(&value, tensor.data.data() + at, sizeof value);
        if (value != 1)
            throw Error(where + ": element " + std::to_string(at / sizeof value) + " is " +
                        std::to_string(value) + ", only 1 is supported");
    }
}

// Tensor -> shard, as the index of a checkpoint in several files has it.
std::map<std::string, std::string> read_weight_map(const fs::path& index) {
    const std::string where = index.string();
    const MappedFile file(index);
    const auto content = parse_json_object(where, file.text());
    const auto found = content.find("weight_map");
    if (found == content.end() || !found->is_object())
        throw Error(where + ": weight_map: is no object");
    std::map<std::string, std::string> map;
    for (const auto& [tensor, shard] : found->items()) {
        if (!shard.is_string())
            throw Error(where + ": " + printable(tensor) + ": is no file name but " +
                        shard.type_name());
        const fs::path name = shard.get<std::string>();
        if (name.empty() || name != name.filename() || name == "." || name == "..")
            throw Error(where + ": " + printable(tensor) + ": " + printable(name.string()) +
                        " is no file name in this directory");
        map.emplace(tensor, name.string());
    }
    return map;
}

// Every tensor that the index promises must be in the shard it names.
void check_shard(const fs::path& shard, const FileTensors& content,
                 const std::map<std::string, std::string>& weight_map) {
    std::set<std::string_view> names;
    for (const auto& tensor : content.tensors) names.insert(tensor.name);
    for (const auto& tensor : content.unsupported) names.insert(tensor.name);
    for (const auto& [tensor, name] : weight_map)
        if (name == shard.filename() && !names.contains(tensor))
            throw Error(shard.string() + ": " + printable(tensor) +
                        ": not in the file, but the index names it");
}

const std::string single_file = "model.safetensors";
const std::string index_file = "model.safetensors.index.json";

// ---- where models lie

std::optional<fs::path> environment(const char* name) {
    const char* value = std::getenv(name);
    return value && *value ? std::optional<fs::path>(value) : std::nullopt;
}

// As huggingface_hub has it.
std::optional<fs::path> cache_root() {
    if (auto cache = environment("HF_HUB_CACHE")) return cache;
    if (const auto home = environment("HF_HOME")) return *home / "hub";
    if (const auto cache = environment("XDG_CACHE_HOME")) return *cache / "huggingface" / "hub";
    if (const auto home = environment("HOME")) return *home / ".cache" / "huggingface" / "hub";
    return std::nullopt;
}

const std::string cache_prefix = "models--";

// "org/name" lies in models--org--name. Nothing for what cannot be such a name.
std::optional<fs::path> cache_folder(std::string_view name) {
    const auto slash = name.find('/');
    const bool one_slash = slash != name.npos && name.find('/', slash + 1) == name.npos;
    const auto root = cache_root();
    if (!root || !one_slash || slash == 0 || slash + 1 == name.size()) return std::nullopt;
    return *root / (cache_prefix + std::string(name.substr(0, slash)) + "--" +
                    std::string(name.substr(slash + 1)));
}

// "models--org--name" back to "org/name"; other names stay.
std::string cached_name(const std::string& folder) {
    const auto between = folder.find("--", cache_prefix.size());
    if (!folder.starts_with(cache_prefix) || between == folder.npos) return folder;
    return folder.substr(cache_prefix.size(), between - cache_prefix.size()) + "/" +
           folder.substr(between + 2);
}

// The snapshot that the branch main points at.
fs::path snapshot(const fs::path& folder) {
    const MappedFile main(folder / "refs" / "main");
    std::string_view commit = main.text();
    while (!commit.empty() && std::isspace(static_cast<unsigned char>(commit.back())))
        commit.remove_suffix(1);
    fs::path path = folder / "snapshots" / commit;
    if (commit.empty() || fs::path(commit).has_parent_path() || !fs::is_directory(path))
        throw Error(main.path().string() + ": " + printable(commit) +
                    ": no such folder in snapshots/");
    return path;
}

// Empty where it cannot be told. /proc/self/exe would name the loader of a bundled C library.
fs::path program_folder() {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): getauxval has one type for all values
    const auto* program = reinterpret_cast<const char*>(::getauxval(AT_EXECFN));
    std::error_code absent;
    return program ? fs::canonical(program, absent).parent_path() : fs::path();
}

std::vector<fs::path> demo_places() {
    const fs::path file = "demo-judge.gguf";
    std::vector<fs::path> places;
    if (const auto data = environment("ASSAY_DATA_DIR")) places.push_back(*data / file);
    if (const fs::path program = program_folder(); !program.empty()) {
        places.push_back(program.parent_path() / "share" / "assay" / file);
        places.push_back(program / "share" / "assay" / file);
    }
    places.push_back(fs::path(ASSAY_SOURCE_DIR) / "model" / "demo" / file);
    return places;
}

}  // namespace

Checkpoint::Checkpoint(const fs::path& path) : path_(path) {
    std::error_code unreadable;  // opening it will say why
    keep_weights(fs::is_directory(path, unreadable) ? open_directory() : open_gguf());
}

FileTensors Checkpoint::open_directory() {
    config_ = read_config(path_ / "config.json");
    std::map<std::string, std::string> weight_map;
    std::set<std::string> shards;
    if (fs::exists(path_ / single_file)) {
        shards.insert(single_file);
    } else if (fs::exists(path_ / index_file)) {
        weight_map = read_weight_map(path_ / index_file);
        for (const auto& [tensor, shard] : weight_map) shards.insert(shard);
    } else {
        throw Error(path_.string() + ": has neither " + single_file + " nor " + index_file);
    }
    FileTensors all;
    for (const std::string& shard : shards) {
        const MappedFile& file = files_.emplace_back(path_ / shard);
        FileTensors content = read_safetensors(file);
        check_shard(file.path(), content, weight_map);
        std::ranges::move(content.tensors, std::back_inserter(all.tensors));
        std::ranges::move(content.unsupported, std::back_inserter(all.unsupported));
    }
    return all;
}

FileTensors Checkpoint::open_gguf() {
    Gguf content = read_gguf(files_.emplace_back(path_));
    gguf_ = std::move(content.metadata);
    const auto parts = gguf_->find<std::uint64_t>("split.count").value_or(1);
    if (parts > 1)
        throw Error(path_.string() + ": split.count: one of " + std::to_string(parts) +
                    " files, only whole models are supported");
    config_ = config_from_gguf(*gguf_);
    config_.tie_word_embeddings = true;
    for (UnsupportedTensor& tensor : content.tensors.unsupported) {
        tensor.name = translated(tensor.name);
        if (tensor.name == head) config_.tie_word_embeddings = false;
    }
    for (FileTensor& tensor : content.tensors.tensors) {
        if (tensor.name == "rope_freqs.weight")
            check_rope_frequencies(tensor, path_.string() + ": " + tensor.name);
        tensor.name = translated(tensor.name);
        if (tensor.name == head) config_.tie_word_embeddings = false;
    }
    return std::move(content.tensors);
}

// Tensors that the config does not ask for, as rotary_emb.inv_freq, are left out.
void Checkpoint::keep_weights(FileTensors found) {
    const std::string where = path_.string() + ": ";
    const auto weights = expected_weights(config_);
    for (FileTensor& tensor : found.tensors) {
        const auto weight = weights.find(tensor.name);
        if (weight == weights.end()) continue;
        check_weight(tensor, *weight->second, config_, where + tensor.name);
        if (!index_.emplace(tensor.name, tensors_.size()).second)
            throw Error(where + tensor.name + ": is there twice");
        tensors_.push_back(std::move(tensor));
    }
    for (const UnsupportedTensor& tensor : found.unsupported)
        if (weights.contains(tensor.name))
            throw Error(where + tensor.name + ": type " + printable(tensor.type) +
                        " is not supported");
    for (const auto& [name, weight] : weights)
        if (!index_.contains(name))
            throw Error(where + name + ": not in the file, its config asks for it");
}

std::string Checkpoint::name() const {
    fs::path path = fs::absolute(path_).lexically_normal();
    if (path.filename().empty()) path = path.parent_path();  // "folder/"
    if (gguf_) return path.stem().string();
    const fs::path snapshots = path.parent_path();
    if (snapshots.filename() != "snapshots") return path.filename().string();
    return cached_name(snapshots.parent_path().filename().string());
}

const FileTensor* Checkpoint::find(std::string_view name) const {
    const bool tied = name == head && config_.tie_word_embeddings;
    const auto found = index_.find(tied ? embedding : name);
    return found == index_.end() ? nullptr : &tensors_[found->second];
}

const FileTensor& Checkpoint::tensor(std::string_view name) const {
    const FileTensor* found = find(name);
    if (!found) throw Error(path_.string() + ": " + printable(name) + ": no weight of this model");
    return *found;
}

std::map<Format, std::uint64_t> Checkpoint::bytes_by_format() const {
    std::map<Format, std::uint64_t> bytes;
    for (const FileTensor& tensor : tensors_) bytes[tensor.format] += tensor.data.size();
    return bytes;
}

Tokenizer Checkpoint::tokenizer() const {
    Tokenizer tokenizer = gguf_ ? Tokenizer::from_gguf(*gguf_) : open_tokenizer(path_);
    tokenizer.set_model_vocab_size(config_.vocab_size);
    return tokenizer;
}

std::uint32_t unpermuted_row(std::uint32_t row, std::uint32_t head_dim) {
    const std::uint32_t half = head_dim / 2, in_head = row % head_dim;
    return row - in_head + in_head % half * 2 + in_head / half;
}

Tokenizer open_tokenizer(const fs::path& path) {
    std::error_code unreadable;  // opening it will say why
    if (fs::is_directory(path, unreadable)) {
        const fs::path model = path / "tokenizer.model";
        if (!fs::exists(model) && fs::exists(path / "tokenizer.json"))
            throw Error(model.string() + ": not there, and tokenizer.json is not supported");
        return Tokenizer::from_file(model);
    }
    const MappedFile file(path);
    if (file.text().starts_with("GGUF")) return Tokenizer::from_gguf(read_gguf(file).metadata);
    return Tokenizer::from_file(path);
}

std::filesystem::path resolve_model(std::string_view model) {
    if (model.empty()) throw Error("model: the name is empty");
    std::vector<fs::path> looked;
    const auto exists = [&](const fs::path& path) {
        looked.push_back(path);
        std::error_code unreadable;
        return fs::exists(path, unreadable);
    };
    if (model == "demo") {
        for (const fs::path& path : demo_places())
            if (exists(path)) return path;
    } else {
        if (exists(model)) return model;
        if (const auto cached = cache_folder(model))
            if (exists(*cached)) return snapshot(*cached);
    }
    std::string places;
    for (const fs::path& path : looked)
        places += (places.empty() ? "" : ", ") + printable(path.string(), 4096);
    throw Error("model " + printable(model) + ": not found; looked for " + places);
}

}  // namespace assay
