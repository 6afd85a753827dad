#include "model/merge/plan.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "model/merge/arithmetic.h"
#include "model/merge/vocabulary.h"

namespace assay {
namespace {

constexpr std::string_view layer_prefix = "model.layers.", head = "lm_head.weight";

struct LayerName {
    std::uint32_t layer = 0;
    std::string rest;  // ".mlp.down_proj.weight"
};

// Of a tensor in a layer; nothing for others.
std::optional<LayerName> layer_name(std::string_view name) {
    if (!name.starts_with(layer_prefix)) return std::nullopt;
    LayerName parts;
    const char* last = name.data() + name.size();
    const auto [end, error] = std::from_chars(name.data() + layer_prefix.size(), last, parts.layer);
    if (error != std::errc() || end == last || *end != '.') return std::nullopt;
    parts.rest.assign(end, last);
    return parts;
}

std::string in_layer(std::uint32_t layer, const std::string& rest) {
    return std::string(layer_prefix) + std::to_string(layer) + rest;
}

// As the supermario script tells it: by the name in the file, whatever a merge calls it.
bool is_router(const SourceTensor& tensor) {
    return tensor.parts.front().name.find("block_sparse_moe.gate") != std::string::npos;
}

bool is_embedding(std::string_view name) { return name == embedding_name || name == head; }

class Planner {
public:
    Planner(const MergeConfig& config, const std::vector<MergeSource>& sources,
            const PlanOptions& options, const SharedVocabulary* vocabulary)
        : config_(config),
          method_(*config.method),
          sources_(sources),
          options_(options),
          vocabulary_(vocabulary) {
        plan_.model = config.base ? &source_of(*config.base)
                                  : &source_of(config.slices.front().models.front().reference);
    }

    MergePlan plan() {
        check_architectures();
        check_layers();
        for (const Slice& slice : config_.slices) plan_layers(slice);
        plan_others();
        check_extra_tensors();
        if (options_.rescale && !rescales_)
            throw Error(std::string(method_.name) +
                        ": nothing is rescaled, so there is no rule to choose for it");
        const auto& names = plan_.model->tensors();
        std::map<std::string, std::size_t> position;
        for (std::size_t i = 0; i < names.size(); ++i) position[names[i].name] = i;
        std::ranges::stable_sort(plan_.tensors, {}, [&](const PlannedTensor& tensor) {
            const auto found = position.find(tensor.recipe.name);
            return found == position.end() ? names.size() : found->second;
        });
        return std::move(plan_);
    }

private:
    const MergeSource& source_of(const ModelReference& reference) const {
        return *std::ranges::find(sources_, reference, &MergeSource::reference);
    }

    bool is_base(const MergedModel& model) const {
        return config_.base && model.reference == *config_.base;
    }

    static std::string where(const MergeSource& source, const std::string& tensor) {
        return source.reference().text() + ": " + printable(tensor);
    }

    // ---- what there is

    void check_architectures() const {
        const auto architectures = [](const MergeSource& source) {
            return source.config().value("architectures", nlohmann::ordered_json()).dump();
        };
        for (const MergeSource& source : sources_)
            if (architectures(source) != architectures(*plan_.model))
                throw Error(source.reference().text() + ": " + printable(architectures(source)) +
                            ", but " + plan_.model->reference().text() + " is " +
                            printable(architectures(*plan_.model)));
    }

    // Of models every tensor is merged; of slices those whose names the reference has in any layer.
    void check_extra_tensors() const {
        const bool whole = !config_.slices.front().models.front().layers;
        const auto kind = [&](const std::string& name) {
            const auto layer = layer_name(name);
            return layer && !whole ? layer->rest : name;
        };
        std::set<std::string> known;
        for (const SourceTensor& tensor : plan_.model->tensors()) known.insert(kind(tensor.name));
        for (const MergeSource& source : sources_)
            for (const SourceTensor& tensor : source.tensors())
                if (!known.contains(kind(tensor.name)) && !options_.allowed.extra_tensors)
                    throw Error(where(source, tensor.name) + ": not in " +
                                plan_.model->reference().text() +
                                unless_allowed(&Allowances::extra_tensors));
    }

    // Those after the last would be lost.
    void check_layers() const {
        for (const MergeSource& source : sources_)
            for (const SourceTensor& tensor : source.tensors())
                if (const auto name = layer_name(tensor.name);
                    name && name->layer >= source.layers())
                    throw Error(where(source, tensor.name) + ": its config.json has " +
                                std::to_string(source.layers()) + " layers");
        if (plan_.model->tensors().empty())
            throw Error(plan_.model->reference().text() + ": has no tensors");
    }

    std::array<std::uint32_t, 2> layers_of(const MergedModel& model) const {
        const MergeSource& source = source_of(model.reference);
        const auto range = model.layers.value_or(std::array{0U, source.layers()});
        if (range[1] > source.layers())
            throw Error(model.reference.text() + ": layers up to " + std::to_string(range[1]) +
                        " are asked for, the model has " + std::to_string(source.layers()));
        return range;
    }

    void plan_layers(const Slice& slice) {
        const MergedModel& named = named_after(slice);
        const auto range = layers_of(named);
        const std::uint32_t count = range[1] - range[0];
        for (const MergedModel& model : slice.models)
            if (const auto other = layers_of(model); other[1] - other[0] != count)
                throw Error(model.reference.text() + ": " + std::to_string(other[1] - other[0]) +
                            " layers, " + named.reference.text() + " has " + std::to_string(count));
        for (const SourceTensor& tensor : source_of(named.reference).tensors()) {
            const auto name = layer_name(tensor.name);
            if (!name || name->layer < range[0] || name->layer >= range[1]) continue;
            const std::uint32_t place = name->layer - range[0];
            std::vector<std::string> names;
            for (const MergedModel& model : slice.models)
                names.push_back(in_layer(layers_of(model)[0] + place, name->rest));
            const double t = count > 1 ? place / (count - 1.0) : 1;
            plan_tensor(slice, in_layer(plan_.layers + place, name->rest), names, t);
        }
        plan_.layers += count;
    }

    // Gradients begin outside the layers with their first value.
    void plan_others() {
        for (const SourceTensor& tensor : plan_.model->tensors()) {
            if (layer_name(tensor.name)) continue;
            const Slice& slice =
                tensor.name == embedding_name ? config_.slices.front() : config_.slices.back();
            plan_tensor(slice, tensor.name,
                        std::vector<std::string>(slice.models.size(), tensor.name), 0);
        }
    }

    // The model of a slice after whose tensors the result's are named.
    const MergedModel& named_after(const Slice& slice) const {
        const auto found = std::ranges::find_if(
            slice.models, [&](const MergedModel& model) { return is_base(model); });
        return found == slice.models.end() ? slice.models.front() : *found;
    }

    const SourceTensor& find(const MergeSource& source, const std::string& name) const {
        if (const SourceTensor* found = source.find(name)) return *found;
        const SourceTensor* tied = name == head ? source.find(embedding_name) : nullptr;
        if (tied && options_.allowed.missing_lm_head) return *tied;
        throw Error(where(source, name) + ": not there, the merge needs it" +
                    (tied ? unless_allowed(&Allowances::missing_lm_head) : ""));
    }

    // ---- one tensor

    void plan_tensor(const Slice& slice, const std::string& name,
                     const std::vector<std::string>& names, double t) {
        PlannedTensor tensor;
        Recipe& recipe = tensor.recipe;
        recipe.method = &method_;
        recipe.name = name;
        recipe.normalize = flag(slice, name, "normalize", t);
        recipe.lambda = value(slice, name, "lambda", t).value_or(1);
        recipe.t = value(slice, name, "t", t).value_or(0);
        recipe.rescale = Rescale::none;
        if (flag(slice, name, "rescale", t)) {
            recipe.rescale = options_.rescale.value_or(Rescale::l1);
            rescales_ = true;
        }
        for (std::size_t i = 0; i < slice.models.size(); ++i)
            add_model(tensor, slice, i, names[i], t);
        recipe.is_router = is_router(*tensor.inputs.front().tensor);
        settle_shape(tensor);
        settle_formats(tensor);
        check_weights(recipe);
        plan_.tensors.push_back(std::move(tensor));
    }

    // The base comes first and has neither weight nor density where the method has one.
    void add_model(PlannedTensor& tensor, const Slice& slice, std::size_t index,
                   const std::string& name, double t) {
        const MergedModel& model = slice.models[index];
        const MergeSource& source = source_of(model.reference);
        const PlannedInput input{&source, &find(source, name)};
        if (method_.needs_base && is_base(model)) {
            tensor.inputs.insert(tensor.inputs.begin(), input);
            return;
        }
        tensor.inputs.push_back(input);
        if (method_.method == Method::slerp) return;
        if (method_.method == Method::supermario) {
            if (index > 0) tensor.recipe.densities.push_back(drop_rate(slice, model, name, t));
            return;
        }
        tensor.recipe.weights.push_back(*value(slice, name, "weight", t, &model));
        tensor.recipe.densities.push_back(method_.find("density") ? density(slice, model, name, t)
                                                                  : 1);
    }

    // Of a model, or of a whole tensor: what is said of the model comes before the slice and that
    // before all, and a list of filters of which none fits says nothing.
    std::optional<double> value(const Slice& slice, const std::string& tensor,
                                std::string_view parameter, double t,
                                const MergedModel* model = nullptr) const {
        const ParameterInfo* info = method_.find(parameter);
        if (!info) return std::nullopt;
        for (const Parameters* said :
             {model ? &model->parameters : nullptr, &slice.parameters, &config_.parameters}) {
            if (!said) continue;
            const auto found = said->find(parameter);
            if (found == said->end()) continue;
            if (const auto value = found->second.value(tensor, t)) return value;
        }
        if (!info->value)
            throw Error((model ? model->reference.text() + ": " : "") + tensor + ": has no " +
                        std::string(parameter) + ", " + std::string(method_.name) + " needs it");
        return info->value;
    }

    bool flag(const Slice& slice, const std::string& tensor, std::string_view parameter,
              double t) const {
        return value(slice, tensor, parameter, t).value_or(0) != 0;
    }

    double density(const Slice& slice, const MergedModel& model, const std::string& tensor,
                   double t) const {
        const double density = *value(slice, tensor, "density", t, &model);
        const bool can_be_allowed =
            density > 1 || (density == 0 && method_.sparsify == Sparsify::random);
        if ((density > 0 && density <= 1) || (can_be_allowed && options_.allowed.density))
            return density;
        throw Error(model.reference.text() + ": " + tensor + ": density " +
                    nlohmann::json(density).dump() + ", above 0 and at most 1 is needed" +
                    (can_be_allowed ? unless_allowed(&Allowances::density) : ""));
    }

    double drop_rate(const Slice& slice, const MergedModel& model, const std::string& tensor,
                     double t) const {
        const double p = *value(slice, tensor, "p", t, &model);
        if (p >= 0 && p < 1) return p;
        throw Error(model.reference.text() + ": " + tensor + ": p " + nlohmann::json(p).dump() +
                    ", at least 0 and below 1 is needed");
    }

    // ---- shapes, formats, weights

    // What the reference implementation does with a tensor of another shape than the first one's.
    enum class Misfit { refuse, cut, skip };
    Misfit misfit(const std::string& name, const std::vector<std::uint64_t>& shape,
                  const std::vector<std::uint64_t>& first) const {
        const bool adds_to_base = method_.needs_base && method_.method != Method::slerp;
        if (method_.method == Method::supermario) return Misfit::refuse;
        if (!is_embedding(name)) return adds_to_base ? Misfit::skip : Misfit::refuse;
        if (shape.size() != 2 || first.size() != 2) return Misfit::refuse;
        const bool covers = shape[0] >= first[0] && shape[1] >= first[1];
        return covers || !adds_to_base ? Misfit::cut : Misfit::refuse;
    }

    void align(PlannedTensor& tensor) const {
        tensor.is_aligned = true;
        for (const auto& [source, input] : tensor.inputs)
            if (input->shape.size() != 2 || input->shape[1] != tensor.shape.back())
                throw Error(where(*source, input->name) + ": " + shape_text(input->shape) +
                            ", but " + shape_text(tensor.shape) + " in " +
                            tensor.inputs.front().source->reference().text());
        tensor.shape[0] = vocabulary_->size();
    }

    void settle_shape(PlannedTensor& tensor) const {
        tensor.shape = tensor.inputs.front().tensor->shape;
        if (vocabulary_ && is_embedding(tensor.recipe.name)) return align(tensor);
        for (std::size_t i = 1; i < tensor.inputs.size(); ++i) {
            const auto& [source, input] = tensor.inputs[i];
            if (input->shape == tensor.shape) continue;
            const Misfit how = misfit(tensor.recipe.name, input->shape, tensor.shape);
            if (how == Misfit::refuse || !options_.allowed.shapes)
                throw Error(where(*source, tensor.recipe.name) + ": " + shape_text(input->shape) +
                            ", but " + shape_text(tensor.shape) + " in " +
                            tensor.inputs.front().source->reference().text() +
                            (how == Misfit::refuse ? "" : unless_allowed(&Allowances::shapes)));
            if (how == Misfit::skip)
                remove_model(tensor, i--);
            else
                for (std::size_t axis = 0; axis < 2; ++axis)
                    tensor.shape[axis] = std::min(tensor.shape[axis], input->shape[axis]);
        }
    }

    static void remove_model(PlannedTensor& tensor, std::size_t input) {
        const auto at = static_cast<std::ptrdiff_t>(input);
        tensor.inputs.erase(tensor.inputs.begin() + at);
        tensor.recipe.weights.erase(tensor.recipe.weights.begin() + at - 1);
        tensor.recipe.densities.erase(tensor.recipe.densities.begin() + at - 1);
    }

    void settle_formats(PlannedTensor& tensor) const {
        const Format first = tensor.inputs.front().tensor->format;
        for (const auto& [source, input] : tensor.inputs)
            if (input->format != first && !config_.dtype)
                throw Error(where(*source, input->name) + ": " +
                            std::string(info(input->format).name) + ", but " +
                            std::string(info(first).name) + " in " +
                            tensor.inputs.front().source->reference().text() +
                            "; dtype must say what to work in");
        const Format dtype = config_.dtype.value_or(first);
        tensor.recipe.work = options_.precise ? Format::f32 : dtype;
        tensor.out = config_.out_dtype.value_or(dtype);
    }

    // Where signs are elected, what is divided by is found for each element.
    void check_weights(const Recipe& recipe) const {
        if (!recipe.normalize || method_.elects_sign || recipe.weights.empty() ||
            options_.allowed.zero_weights)
            return;
        float sum = 0;
        for (const double weight : recipe.weights) sum += rounded(recipe.work, weight);
        if (std::abs(sum) < 1e-8f)
            throw Error(recipe.name + ": weights sum to " + nlohmann::json(sum).dump() +
                        ", by which the result is to be divided" +
                        unless_allowed(&Allowances::zero_weights));
    }

    const MergeConfig& config_;
    const MethodInfo& method_;
    const std::vector<MergeSource>& sources_;
    const PlanOptions& options_;
    const SharedVocabulary* vocabulary_;
    bool rescales_ = false;
    MergePlan plan_;
};

}  // namespace

MergePlan plan_merge(const MergeConfig& config, const std::vector<MergeSource>& sources,
                     const PlanOptions& options, const SharedVocabulary* vocabulary) {
    return Planner(config, sources, options, vocabulary).plan();
}

}  // namespace assay
