#include "model/merge/source.h"

#include <algorithm>
#include <charconv>

#include "model/checkpoint.h"
#include "model/formats/json.h"
#include "model/formats/safetensors_folder.h"
#include "model/merge/arithmetic.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view router = ".block_sparse_moe.gate.weight",
                           experts = ".block_sparse_moe.experts.";

// What an expert's matrix is fused into, and its place there.
struct Fused {
    std::string name;
    std::uint32_t expert;
    std::uint32_t matrix;  // of the expert: w1 before w3
};

std::optional<Fused> fused(std::string_view name) {
    const auto at = name.find(experts);
    if (at == name.npos) return std::nullopt;
    const std::string_view rest = name.substr(at + experts.size());
    std::uint32_t expert = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), expert);
    const std::string_view matrix(end, static_cast<std::size_t>(rest.end() - end));
    if (error != std::errc() || matrix.size() != 10 || !matrix.starts_with(".w"))
        return std::nullopt;
    const std::string layer(name.substr(0, at));
    if (matrix == ".w2.weight") return Fused{layer + ".mlp.experts.down_proj", expert, 0};
    return Fused{layer + ".mlp.experts.gate_up_proj", expert, matrix == ".w1.weight" ? 0U : 1U};
}

// The tensors of one fused name, which lie anywhere in the files.
SourceTensor fuse(const std::string& where, const std::string& name,
                  std::vector<std::pair<Fused, FileTensor>> parts) {
    std::ranges::sort(parts, {}, [](const auto& part) {
        return std::pair(part.first.expert, part.first.matrix);
    });
    const FileTensor& first = parts.front().second;
    const std::uint64_t matrices = name.ends_with("gate_up_proj") ? 2 : 1,
                        count = parts.size() / matrices;
    SourceTensor tensor{
        name, first.format, {count, matrices * first.rows(), first.columns()}, {}, 0};
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const auto& [place, part] = parts[i];
        if (place.expert != i / matrices || place.matrix != i % matrices ||
            parts.size() % matrices != 0 || part.shape != first.shape ||
            part.format != first.format)
            throw Error(where + ": " + part.name + ": does not fit between the other experts (" +
                        std::to_string(parts.size()) + " matrices, the first is " +
                        shape_text(first.shape) + ", this one " + shape_text(part.shape) + ")");
        tensor.parts.push_back(part);
    }
    return tensor;
}

// To f32.
void widen(const FileTensor& tensor, std::span<std::byte> to) {
    std::vector<float> values(tensor.rows() * tensor.columns());
    decode(tensor.format, tensor.data.data(), values);
    std::ranges::copy(std::as_bytes(std::span(values)), to.begin());
}

SourceTensor alone(const FileTensor& tensor) {
    return {tensor.name, tensor.format, tensor.shape, {tensor}, 0};
}

}  // namespace

std::uint64_t SourceTensor::bytes() const {
    std::uint64_t sum = 0;
    for (const FileTensor& part : parts) sum += part.data.size();
    return sum;
}

MergeSource::MergeSource(const ModelReference& reference, const SourceOptions& options)
    : reference_(reference), folder_(resolve_model(reference.model)), precise_(options.precise) {
    if (!fs::is_directory(folder_))
        throw Error(folder_.string() + ": a merge reads directories of safetensors files");
    read_config();
    FileTensors found = read_safetensors_folder(folder_, files_);
    const std::string where = folder_.string();
    for (const UnsupportedTensor& tensor : found.unsupported)
        throw Error(where + ": " + printable(tensor.name) + ": type " + printable(tensor.type) +
                    ", a merge reads F32, F16 and BF16");
    if (!reference.lora.empty())
        adapter_.emplace(resolve_model(reference.lora), options.lora_rounding);
    keep(std::move(found.tensors), options.fuse_experts);
    if (!adapter_) return;
    for (const std::string& weight : adapter_->weights()) {
        const auto has = [&](const SourceTensor& tensor) {
            return std::ranges::find(tensor.parts, weight, &FileTensor::name) != tensor.parts.end();
        };
        if (std::ranges::none_of(tensors_, has))
            throw Error(reference.lora + ": " + printable(weight) + ": not in " + where);
    }
}

void MergeSource::read_config() {
    const MappedFile file(folder_ / "config.json");
    const std::string where = file.path().string();
    parse_json_object(where, file.text());  // checks it; the other type keeps the keys' order
    config_ = nlohmann::ordered_json::parse(file.text());
    const auto layers = config_.find("num_hidden_layers");
    if (layers == config_.end() || !layers->is_number_unsigned())
        throw Error(where + ": num_hidden_layers: no whole number");
    layers_ = layers->get<std::uint32_t>();
}

void MergeSource::keep(std::vector<FileTensor> found, bool fuse_experts) {
    std::map<std::string, std::vector<std::pair<Fused, FileTensor>>> experts_of;
    for (FileTensor& tensor : found) {
        if (tensor.name.ends_with(".rotary_emb.inv_freq")) continue;
        if (!is_working_format(tensor.format))
            throw Error(folder_.string() + ": " + printable(tensor.name) + ": " +
                        std::string(info(tensor.format).name) +
                        ", a merge reads F32, F16 and BF16");
        const auto place = fuse_experts ? fused(tensor.name) : std::nullopt;
        if (place) {
            experts_of[place->name].emplace_back(*place, std::move(tensor));
            continue;
        }
        SourceTensor kept = alone(tensor);
        if (const auto at = kept.name.find(router); fuse_experts && at != kept.name.npos)
            kept.name.replace(at, router.size(), ".mlp.gate.weight");
        tensors_.push_back(std::move(kept));
    }
    if (fuse_experts && experts_of.empty())
        throw Error(folder_.string() + ": has no experts that could be fused");
    for (auto& [name, parts] : experts_of)
        tensors_.push_back(fuse(folder_.string(), name, std::move(parts)));
    for (SourceTensor& tensor : tensors_) tensor.file = file_of(tensor.parts.front());
    for (std::size_t i = 0; i < tensors_.size(); ++i)
        if (!index_.emplace(tensors_[i].name, i).second)
            throw Error(folder_.string() + ": " + printable(tensors_[i].name) + ": is there twice");
}

std::size_t MergeSource::file_of(const FileTensor& tensor) const {
    const auto holds = [&](const MappedFile& file) {
        return !std::less<>()(tensor.data.data(), file.bytes().data()) &&
               std::less<>()(tensor.data.data(), file.bytes().data() + file.bytes().size());
    };
    return static_cast<std::size_t>(std::ranges::find_if(files_, holds) - files_.begin());
}

std::vector<fs::path> MergeSource::files() const {
    std::vector<fs::path> files{folder_ / "config.json"};
    for (const MappedFile& file : files_) files.push_back(file.path());
    if (adapter_) std::ranges::copy(adapter_->files(), std::back_inserter(files));
    return files;
}

const SourceTensor* MergeSource::find(std::string_view name) const {
    const auto found = index_.find(name);
    return found == index_.end() ? nullptr : &tensors_[found->second];
}

LoadedTensor MergeSource::load(const SourceTensor& tensor, std::uint32_t threads) const {
    const auto changed = [&](const FileTensor& part) {
        return adapter_ && adapter_->changes(part.name);
    };
    const bool is_changed = std::ranges::any_of(tensor.parts, changed);
    if (tensor.parts.size() == 1 && !is_changed)
        return {tensor.format, tensor.parts.front().data, {}};
    const Format format = precise_ && is_changed ? Format::f32 : tensor.format;
    const auto size_of = [&](const FileTensor& part) {
        return part.rows() * part.columns() * element_bytes(format);
    };
    std::uint64_t bytes = 0;
    for (const FileTensor& part : tensor.parts) bytes += size_of(part);
    LoadedTensor loaded{format, {}, std::vector<std::byte>(bytes)};
    std::span<std::byte> to(loaded.owned);
    for (const FileTensor& part : tensor.parts) {
        const auto into = to.first(size_of(part));
        if (changed(part))
            adapter_->fold(part, format, into, threads);
        else if (format == part.format)
            std::ranges::copy(part.data, into.begin());
        else
            widen(part, into);
        to = to.subspan(into.size());
    }
    loaded.data = loaded.owned;
    return loaded;
}

}  // namespace assay
