#include "model/merge/merge.h"

#include <algorithm>
#include <memory>
#include <mutex>

#include "model/fingerprint.h"
#include "model/formats/safetensors_writer.h"
#include "model/merge/arithmetic.h"
#include "model/merge/merger.h"
#include "model/merge/output_folder.h"
#include "model/merge/vocabulary.h"
#include "model/parallel.h"

namespace assay {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::uint64_t piece_blocks = 256;  // that a thread merges and writes at a time: 2 MiB

// What belongs to a model beside its weights and config.json: the first to the model, the rest to
// its tokenizer.
constexpr const char* generation_config = "generation_config.json";
constexpr std::array tokenizer_files{"tokenizer.model",
                                     "tokenizer.json",
                                     "tokenizer_config.json",
                                     "added_tokens.json",
                                     "special_tokens_map.json",
                                     "chat_template.jinja",
                                     "chat_template.json",
                                     "vocab.json",
                                     "merges.txt"};

std::string_view dtype_name(Format format) {
    return format == Format::f32 ? "float32" : format == Format::f16 ? "float16" : "bfloat16";
}

std::vector<MergeSource> open_sources(const MergeConfig& config, const SourceOptions& options) {
    std::vector<MergeSource> sources;
    for (const Slice& slice : config.slices)
        for (const MergedModel& model : slice.models)
            if (std::ranges::find(sources, model.reference, &MergeSource::reference) ==
                sources.end())
                sources.emplace_back(model.reference, options);
    return sources;
}

// ---- the weights

class Weights {
public:
    Weights(const MergePlan& plan, const SharedVocabulary* vocabulary, const MergeOptions& options,
            const MergeProgress& progress)
        : plan_(plan), vocabulary_(vocabulary), options_(options), progress_(progress) {
        for (const PlannedTensor& tensor : plan.tensors)
            for (const PlannedInput& input : tensor.inputs) total_ += input.tensor->bytes();
    }

    void write(SafetensorsWriter& writer, Masks& masks) {
        for (const PlannedTensor& tensor : plan_.tensors)
            writer.add(tensor.recipe.name, tensor.out, tensor.shape);
        writer.write_headers();
        for (std::size_t i = 0; i < plan_.tensors.size(); ++i) {
            if (i + 1 < plan_.tensors.size()) for_each_part(plan_.tensors[i + 1], will_need);
            merge(i, writer, masks);
            for_each_part(plan_.tensors[i], release);
        }
    }

    std::uint64_t bytes_read() const { return total_; }

private:
    static void for_each_part(const PlannedTensor& tensor,
                              void (*action)(std::span<const std::byte>)) {
        for (const PlannedInput& input : tensor.inputs)
            for (const FileTensor& part : input.tensor->parts) action(part.data);
    }

    // The first rows and columns of a matrix, as many as `shape` has.
    static LoadedTensor cut(const LoadedTensor& from, std::uint64_t columns_before,
                            const std::vector<std::uint64_t>& shape) {
        const std::uint64_t size = element_bytes(from.format), row = shape[1] * size;
        LoadedTensor made{from.format, {}, std::vector<std::byte>(shape[0] * row)};
        for (std::uint64_t i = 0; i < shape[0]; ++i)
            std::ranges::copy(from.data.subspan(i * columns_before * size, row),
                              made.owned.begin() + static_cast<std::ptrdiff_t>(i * row));
        made.data = made.owned;
        return made;
    }

    std::vector<LoadedTensor> load(const PlannedTensor& tensor) const {
        std::vector<LoadedTensor> loaded;
        for (const auto& [source, input] : tensor.inputs) {
            loaded.push_back(source->load(*input, options_.threads));
            if (!tensor.is_aligned && input->shape != tensor.shape)
                loaded.back() = cut(loaded.back(), input->shape.back(), tensor.shape);
        }
        return tensor.is_aligned ? vocabulary_->align(tensor, loaded) : std::move(loaded);
    }

    void merge(std::size_t index, const SafetensorsWriter& writer, Masks& masks) {
        const PlannedTensor& tensor = plan_.tensors[index];
        const std::vector<LoadedTensor> loaded = load(tensor);
        std::vector<Operand> operands;
        std::uint64_t bytes = 0;
        for (std::size_t i = 0; i < loaded.size(); ++i) {
            operands.push_back({loaded[i].format, loaded[i].data.data()});
            bytes += tensor.inputs[i].tensor->bytes();
        }
        const std::uint64_t elements =
            loaded.front().data.size() / element_bytes(loaded.front().format);
        const auto merger = make_merger(tensor.recipe, operands, elements, masks, options_.threads);
        const std::uint64_t piece = piece_blocks * block_elements,
                            pieces = (elements + piece - 1) / piece;
        parallel_for(options_.threads, pieces, [&](std::uint64_t i) {
            const std::uint64_t begin = i * piece, end = std::min(begin + piece, elements);
            write_piece(*merger, tensor.out, index, begin, end, writer);
            advance(i > 0 ? bytes / pieces : bytes - bytes / pieces * (pieces - 1));
        });
    }

    static void write_piece(const Merger& merger, Format out, std::size_t tensor,
                            std::uint64_t begin, std::uint64_t end,
                            const SafetensorsWriter& writer) {
        const std::uint64_t size = element_bytes(out);
        std::vector<std::byte> bytes((end - begin) * size);
        std::array<float, block_elements> block;
        for (std::uint64_t at = begin; at < end; at += block_elements) {
            const auto part = std::span(block).first(std::min(block_elements, end - at));
            merger.merge(at / block_elements, part);
            encode(out, part, bytes.data() + (at - begin) * size);
        }
        writer.write(tensor, begin * size, bytes);
    }

    void advance(std::uint64_t bytes) {
        const std::scoped_lock lock(mutex_);
        done_ += bytes;
        if (progress_) progress_(done_, total_);
    }

    const MergePlan& plan_;
    const SharedVocabulary* vocabulary_;
    const MergeOptions& options_;
    const MergeProgress& progress_;
    std::uint64_t total_ = 0;
    std::mutex mutex_;  // of what follows
    std::uint64_t done_ = 0;
};

// The script goes through the files of one model after another and through their tensors, both
// sorted by name; it draws nothing for routers.
std::vector<NumpyMasks::Draws> numpy_order(const MergePlan& plan) {
    struct Place {
        std::size_t model, file;
        const PlannedTensor* tensor;
    };
    std::vector<Place> places;
    for (const PlannedTensor& tensor : plan.tensors)
        for (std::size_t i = 1; i < tensor.inputs.size() && !tensor.recipe.is_router; ++i)
            places.push_back({i - 1, tensor.inputs[i].tensor->file, &tensor});
    std::ranges::sort(places, {}, [](const Place& place) {
        return std::tie(place.model, place.file, place.tensor->recipe.name);
    });
    std::vector<NumpyMasks::Draws> order;
    for (const auto& [model, file, tensor] : places) {
        std::uint64_t elements = 1;
        for (const std::uint64_t size : tensor->shape) elements *= size;
        order.push_back({model, tensor->recipe.name, elements, tensor->recipe.densities[model]});
    }
    return order;
}

std::unique_ptr<Masks> make_masks(const MergePlan& plan, const MergeConfig& config,
                                  const MergeOptions& options) {
    if (!options.numpy_draws) return std::make_unique<CounterMasks>(options.seed);
    if (config.method->method != Method::supermario)
        throw Error(std::string(config.method->name) +
                    ": numpy's random numbers are those of supermario alone");
    if (options.seed > UINT32_MAX)
        throw Error("seed " + std::to_string(options.seed) + ": numpy takes at most " +
                    std::to_string(UINT32_MAX));
    return std::make_unique<NumpyMasks>(static_cast<std::uint32_t>(options.seed),
                                        numpy_order(plan));
}

// ---- what lies beside them

Json made_config(const MergePlan& plan) {
    Json config = plan.model->config();
    config["num_hidden_layers"] = plan.layers;
    const Format format = plan.tensors.front().out;
    const bool uniform = std::ranges::all_of(
        plan.tensors, [&](const PlannedTensor& tensor) { return tensor.out == format; });
    for (const char* key : {"torch_dtype", "dtype"})
        if (uniform && config.contains(key)) config[key] = dtype_name(format);
    for (const PlannedTensor& tensor : plan.tensors)
        if (tensor.recipe.name == embedding_name) config["vocab_size"] = tensor.shape.front();
    return config;
}

std::string_view name_of(Rescale rescale) {
    return rescale == Rescale::l1 ? "l1" : rescale == Rescale::density ? "density" : "none";
}

std::string_view name_of(LoraRounding rounding) {
    return rounding == LoraRounding::once    ? "once"
           : rounding == LoraRounding::delta ? "delta"
                                             : "all";
}

Json settings(const MergeConfig& config, const MergePlan& plan, const MergeOptions& options) {
    const Recipe& recipe = plan.tensors.front().recipe;
    Json json{{"method", config.method->name},
              {"arithmetic", options.plan.precise ? "precise" : "mergekit"},
              {"working_dtype", dtype_name(recipe.work)},
              {"dtype", dtype_name(plan.tensors.front().out)}};
    if (config.method->sparsify == Sparsify::random) {
        json["seed"] = options.seed;
        json["random_numbers"] = options.masks         ? "given masks"
                                 : options.numpy_draws ? "numpy-mt19937"
                                                       : "counter (Philox4x32-10)";
    }
    if (config.method->find("rescale")) json["rescale"] = name_of(recipe.rescale);
    json["lora_rounding"] = name_of(options.source.lora_rounding);
    json["fuse_experts"] = options.source.fuse_experts;
    json["allowed"] = Json::array();
    for (const AllowanceInfo& allowance : allowances())
        if (options.plan.allowed.*allowance.flag) json["allowed"].push_back(allowance.name);
    return json;
}

// Everything that is known of a merge before weights are read.
class Opened {
public:
    Opened(const MergeConfig& merge_config, const MergeOptions& merge_options)
        : config(merge_config),
          options(merge_options),
          sources(open_sources(config, options.source)),
          tokenizer(tokenizer_source()),
          vocabulary(shared_vocabulary()),
          plan(plan_merge(config, sources, options.plan, vocabulary ? &*vocabulary : nullptr)) {}

    // Begins to hash the inputs, where they are to be hashed.
    std::vector<std::unique_ptr<Fingerprint>> begin_hashes() const {
        std::vector<std::unique_ptr<Fingerprint>> hashes;
        for (const MergeSource& source : sources)
            if (options.hash_inputs)
                hashes.push_back(std::make_unique<Fingerprint>(source.files(), options.hash_cache));
        return hashes;
    }

    // Waits for the hashes.
    Json provenance(const std::vector<std::unique_ptr<Fingerprint>>& hashes) const {
        Json made{{"program", "assay " + options.version}};
        made.update(settings(config, plan, options));
        for (std::size_t i = 0; i < sources.size(); ++i) {
            Json files = Json::array();
            for (const fs::path& file : sources[i].files())
                files.push_back(file.filename().string());
            Json input{{"model", sources[i].reference().text()}, {"files", files}};
            if (!hashes.empty()) input["sha256"] = hashes[i]->sha256();
            made["inputs"].push_back(std::move(input));
        }
        made["configuration_of"] = plan.model->reference().text();
        made["tokenizer_of"] = tokenizer_text();
        return made;
    }

    std::string tokenizer_text() const {
        return is_union() ? "union" : tokenizer->reference().text();
    }

    const MergeConfig& config;
    const MergeOptions& options;
    std::vector<MergeSource> sources;
    const MergeSource* tokenizer;  // whose files the result has
    std::optional<SharedVocabulary> vocabulary;
    MergePlan plan;

private:
    bool is_union() const { return config.tokenizer_source == "union"; }

    const MergeSource* find(const std::string& reference) const {
        for (const MergeSource& source : sources)
            if (source.reference().text() == reference) return &source;
        return nullptr;
    }

    const MergeSource* tokenizer_source() const {
        const std::string& name = config.tokenizer_source;
        if (name.empty() || name == "base" || is_union())
            return find(config.base ? config.base->text() : sources.front().reference().text());
        if (const MergeSource* named = find(name)) return named;
        throw Error("tokenizer_source: " + printable(name) +
                    ", base, union or one of the models is needed");
    }

    // Where the configuration asks for one and the models have several.
    std::optional<SharedVocabulary> shared_vocabulary() const {
        if (config.tokenizer_source.empty() || have_one_tokenizer(sources)) return std::nullopt;
        const MergeSource* base = config.base ? find(config.base->text()) : nullptr;
        return std::optional<SharedVocabulary>(std::in_place, sources, *tokenizer, base,
                                               is_union());
    }
};

}  // namespace

Json merge_provenance(const MergeConfig& config, const MergeOptions& options) {
    const Opened merge(config, options);
    return merge.provenance(merge.begin_hashes());
}

MergedFolder merge_models(const MergeConfig& config, const fs::path& to,
                          const MergeOptions& options, const MergeProgress& progress) {
    const Opened merge(config, options);
    const std::unique_ptr<Masks> masks = make_masks(merge.plan, config, options);
    OutputFolder folder(to);
    const auto hashes = merge.begin_hashes();  // computed while the weights are merged

    SafetensorsWriter writer(folder.temporary(), options.shard_bytes);
    Weights weights(merge.plan, merge.vocabulary ? &*merge.vocabulary : nullptr, options, progress);
    weights.write(writer, options.masks ? *options.masks : *masks);
    writer.finish();

    Json provenance = merge.provenance(hashes);
    folder.write("assay_merge.json", provenance.dump(2) + "\n");
    folder.write("mergekit_config.yml", config.text);
    folder.write("config.json", made_config(merge.plan).dump(2) + "\n");
    const fs::path generation = merge.plan.model->folder() / generation_config;
    if (fs::exists(generation)) folder.copy(generation);
    for (const char* name : tokenizer_files)
        if (fs::exists(merge.tokenizer->folder() / name))
            folder.copy(merge.tokenizer->folder() / name);
    if (merge.vocabulary) merge.vocabulary->write(folder);
    folder.finish();
    return {.tensors = merge.plan.tensors.size(),
            .shards = writer.shards(),
            .bytes_read = weights.bytes_read(),
            .bytes = writer.tensor_bytes(),
            .model = merge.plan.model->reference().text(),
            .tokenizer = merge.tokenizer_text(),
            .provenance = std::move(provenance)};
}

}  // namespace assay
