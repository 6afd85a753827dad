// https://github.com/arcee-ai/mergekit, docs and mergekit/config.py at a6e4028.
#include "model/merge/config.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "model/formats/file_tensor.h"
#include "runtime/error.h"

namespace assay {
namespace {

constexpr std::size_t longest_text = 1 << 20;

struct DtypeName {
    std::string_view name;
    Format format;
};
constexpr std::array dtypes{DtypeName{"bfloat16", Format::bf16}, DtypeName{"float16", Format::f16},
                            DtypeName{"float32", Format::f32}};

class Reader {
public:
    Reader(std::string where, const Allowances& allowed)
        : where_(std::move(where)), allowed_(allowed) {}

    MergeConfig read(const YAML::Node& root) {
        MergeConfig config;
        if (!root.IsMap()) fail(root, "no configuration: " + kind(root) + " instead of keys");
        check_keys(root,
                   {"models", "slices", "merge_method", "base_model", "parameters", "dtype",
                    "out_dtype", "tokenizer_source"},
                   {"modules", "tokenizer", "chat_template"});
        config.method = read_method(root);
        config.dtype = read_dtype(root, "dtype");
        config.out_dtype = read_dtype(root, "out_dtype");
        if (root["base_model"]) config.base = read_reference(root["base_model"], "base_model");
        if (root["tokenizer_source"])
            config.tokenizer_source = text_of(root["tokenizer_source"], "tokenizer_source");
        config.parameters = read_parameters(root, *config.method, true);
        if (root["models"].IsDefined() == root["slices"].IsDefined())
            fail(root, root["models"] ? "both models and slices are given, one of them is needed"
                                      : "neither models nor slices are given");
        read_slices(root, config);
        return config;
    }

private:
    [[noreturn]] void fail(const YAML::Node& node, const std::string& message) const {
        const YAML::Mark mark = node.Mark();
        throw Error(where_ + (mark.is_null() ? "" : ":" + std::to_string(mark.line + 1)) + ": " +
                    message);
    }

    static std::string kind(const YAML::Node& node) {
        if (node.IsMap()) return "keys";
        if (node.IsSequence()) return "a list";
        return node.IsScalar() ? printable(node.Scalar()) : "nothing";
    }

    std::string text_of(const YAML::Node& node, const std::string& key) const {
        if (!node.IsScalar() || node.Scalar().empty())
            fail(node, key + ": " + kind(node) + " instead of a name");
        return node.Scalar();
    }

    // Others than `known` are refused, with a word of their own those that mergekit has.
    void check_keys(const YAML::Node& map, const std::set<std::string>& known,
                    const std::set<std::string>& unsupported = {}) const {
        std::set<std::string> seen;
        for (const auto& entry : map) {
            const std::string& key = entry.first.Scalar();
            if (!seen.insert(key).second) fail(entry.first, printable(key) + ": is there twice");
            if (unsupported.contains(key)) fail(entry.first, key + ": is not supported");
            if (known.contains(key) || allowed_.unknown_keys) continue;
            std::string names;
            for (const std::string& name : known) names += (names.empty() ? "" : ", ") + name;
            fail(entry.first, printable(key) + ": unknown key, " + names + " are known" +
                                  unless_allowed(&Allowances::unknown_keys));
        }
    }

    const MethodInfo* read_method(const YAML::Node& root) const {
        const YAML::Node node = root["merge_method"];
        if (!node) fail(root, "merge_method: not given");
        const std::string name = text_of(node, "merge_method");
        const MethodInfo* method = find_method(name);
        if (!method)
            fail(node,
                 "merge_method: " + printable(name) + ", one of " + method_names() + " is needed");
        return method;
    }

    std::optional<Format> read_dtype(const YAML::Node& root, const char* key) const {
        const YAML::Node node = root[key];
        if (!node) return std::nullopt;
        const std::string name = text_of(node, key);
        const auto* found = std::ranges::find(dtypes, name, &DtypeName::name);
        if (found == dtypes.end())
            fail(node, std::string(key) + ": " + printable(name) +
                           ", one of bfloat16, float16, float32 is needed");
        return found->format;
    }

    ModelReference read_reference(const YAML::Node& node, const std::string& key) const {
        const std::string text = text_of(node, key);
        std::error_code absent;
        const auto plus = std::filesystem::exists(text, absent) ? text.npos : text.find('+');
        ModelReference reference{text.substr(0, plus), {}};
        if (plus != text.npos) reference.lora = text.substr(plus + 1);
        if (reference.model.empty() || (plus != text.npos && reference.lora.empty()))
            fail(node, key + ": " + printable(text) + ", model+adapter is needed");
        return reference;
    }

    // ---- parameters

    Parameters read_parameters(const YAML::Node& owner, const MethodInfo& method,
                               bool of_tensors) const {
        Parameters parameters;
        const YAML::Node map = owner["parameters"];
        if (!map || map.IsNull()) return parameters;
        if (!map.IsMap()) fail(map, "parameters: " + kind(map) + " instead of keys");
        std::set<std::string> known;
        for (const ParameterInfo& parameter : method.parameters)
            if (of_tensors || parameter.of_model) known.emplace(parameter.name);
        check_keys(map, known);
        for (const auto& entry : map)
            if (known.contains(entry.first.Scalar()))
                parameters[entry.first.Scalar()] = read_setting(entry.second, entry.first.Scalar());
        return parameters;
    }

    double read_number(const YAML::Node& node, const std::string& key) const {
        double number = 0;
        bool flag = false;
        const bool plain = node.IsScalar() && node.Tag() == "?";  // no quotes
        if (plain && YAML::convert<double>::decode(node, number) && std::isfinite(number))
            return number;
        if (plain && YAML::convert<bool>::decode(node, flag)) return flag ? 1 : 0;
        fail(node, key + ": " + kind(node) + " instead of a number");
    }

    std::vector<double> read_gradient(const YAML::Node& node, const std::string& key) const {
        if (!node.IsSequence()) return {read_number(node, key)};
        std::vector<double> values;
        for (const YAML::Node& value : node) values.push_back(read_number(value, key));
        if (values.empty()) fail(node, key + ": an empty list instead of numbers");
        return values;
    }

    Setting::Choice read_choice(const YAML::Node& node, const std::string& key) const {
        check_keys(node, {"filter", "value"});
        if (!node["value"]) fail(node, key + ": a filter without a value");
        Setting::Choice choice{{}, read_gradient(node["value"], key)};
        if (node["filter"]) choice.filter = text_of(node["filter"], key + ": filter");
        if (choice.filter == "*") choice.filter.clear();
        return choice;
    }

    Setting read_setting(const YAML::Node& node, const std::string& key) const {
        Setting setting;
        if (node.IsMap()) {
            setting.choices.push_back(read_choice(node, key));
        } else if (node.IsSequence() && node.size() > 0 && node[0].IsMap()) {
            for (const YAML::Node& choice : node) {
                if (!choice.IsMap()) fail(choice, key + ": " + kind(choice) + " among filters");
                setting.choices.push_back(read_choice(choice, key));
            }
        } else {
            setting.choices.push_back({{}, read_gradient(node, key)});
        }
        return setting;
    }

    // ---- models and slices

    MergedModel read_model(const YAML::Node& node, const MethodInfo& method, bool with_layers) {
        if (!node.IsMap()) fail(node, kind(node) + " instead of a model with its parameters");
        std::set<std::string> known{"model", "parameters"};
        if (with_layers) known.insert("layer_range");
        check_keys(node, known);
        if (!node["model"]) fail(node, "model: not given");
        MergedModel model{read_reference(node["model"], "model"), std::nullopt,
                          read_parameters(node, method, false)};
        if (with_layers) model.layers = read_range(node);
        return model;
    }

    std::array<std::uint32_t, 2> read_range(const YAML::Node& owner) const {
        const YAML::Node node = owner["layer_range"];
        std::array<std::uint32_t, 2> range{};
        if (!node) fail(owner, "layer_range: not given");
        if (!node.IsSequence() || node.size() != 2 ||
            !YAML::convert<std::uint32_t>::decode(node[0], range[0]) ||
            !YAML::convert<std::uint32_t>::decode(node[1], range[1]) || range[0] >= range[1])
            fail(node, "layer_range: a list of the first layer and one after the last is needed");
        return range;
    }

    std::vector<MergedModel> read_models(const YAML::Node& list, const std::string& key,
                                         const MethodInfo& method, bool with_layers) {
        if (!list.IsSequence() || list.size() == 0)
            fail(list, key + ": " + kind(list) + " instead of a list of models");
        std::vector<MergedModel> models;
        for (const YAML::Node& node : list) {
            MergedModel model = read_model(node, method, with_layers);
            if (std::ranges::find(models, model.reference, &MergedModel::reference) == models.end())
                models.push_back(std::move(model));
            else if (!allowed_.same_model_twice)
                fail(node, model.reference.text() + ": is listed twice" +
                               unless_allowed(&Allowances::same_model_twice));
        }
        if (with_layers)
            for (const MergedModel& model : models) {
                const auto count = [](const auto& range) { return range[1] - range[0]; };
                if (count(*model.layers) != count(*models.front().layers))
                    fail(list, model.reference.text() + ": " +
                                   std::to_string(count(*model.layers)) + " layers, " +
                                   models.front().reference.text() + " has " +
                                   std::to_string(count(*models.front().layers)));
            }
        return models;
    }

    void read_slices(const YAML::Node& root, MergeConfig& config) {
        const MethodInfo& method = *config.method;
        if (root["models"]) {
            config.slices.push_back({read_models(root["models"], "models", method, false), {}});
            add_base(root, config);
        } else {
            const YAML::Node list = root["slices"];
            if (!list.IsSequence() || list.size() == 0)
                fail(list, "slices: " + kind(list) + " instead of a list");
            for (const YAML::Node& node : list) {
                if (!node.IsMap()) fail(node, kind(node) + " instead of a slice");
                check_keys(node, {"sources", "parameters"}, {"base_model", "residual_weight"});
                if (!node["sources"]) fail(node, "sources: not given");
                config.slices.push_back({read_models(node["sources"], "sources", method, true),
                                         read_parameters(node, method, true)});
            }
        }
        for (const Slice& slice : config.slices) check_models(root, config, slice);
    }

    // The base takes part in the merge whether `models` list it or not.
    void add_base(const YAML::Node& root, MergeConfig& config) const {
        auto& models = config.slices.front().models;
        if (!config.base ||
            std::ranges::find(models, *config.base, &MergedModel::reference) != models.end())
            return;
        if (config.method->method == Method::linear)
            fail(root["base_model"], "base_model: " + config.base->text() +
                                         " is not among the models, so it has no weight");
        models.push_back({*config.base, std::nullopt, {}});
    }

    void check_models(const YAML::Node& root, const MergeConfig& config, const Slice& slice) const {
        const MethodInfo& method = *config.method;
        const std::string name(method.name);
        const std::size_t count = slice.models.size();
        if (method.needs_base && !config.base)
            fail(root, "base_model: not given, " + name + " needs it");
        if (config.base && std::ranges::find(slice.models, *config.base, &MergedModel::reference) ==
                               slice.models.end())
            fail(root, "base_model: " + config.base->text() + " is not in every slice");
        if (method.method == Method::slerp && count != 2)
            fail(root, std::to_string(count) + " models with the base, slerp needs 2");
        if (method.method == Method::supermario && (count < 2 || config.base))
            fail(root, config.base ? "base_model: supermario takes the first model for the base"
                                   : "1 model, supermario needs a base and what it adds to it");
    }

    std::string where_;
    const Allowances& allowed_;
};

}  // namespace

std::optional<double> Setting::value(std::string_view tensor, double t) const {
    for (const Choice& choice : choices) {
        if (tensor.find(choice.filter) == tensor.npos) continue;
        const auto& values = choice.gradient;
        const double place = t * static_cast<double>(values.size() - 1);
        const auto before = static_cast<std::size_t>(place);
        const std::size_t after = std::min(values.size() - 1, before + 1);
        const double share = place - static_cast<double>(before);
        return (1 - share) * values[before] + share * values[after];
    }
    return std::nullopt;
}

MergeConfig parse_merge_config(const std::string& where, const std::string& text,
                               const Allowances& allowed) {
    if (text.size() > longest_text)
        throw Error(where + ": " + std::to_string(text.size()) + " bytes, at most " +
                    std::to_string(longest_text) + " are read");
    try {
        const std::vector<YAML::Node> documents = YAML::LoadAll(text);
        if (documents.size() > 1)
            throw Error(where + ": " + std::to_string(documents.size()) +
                        " YAML documents, a configuration is one");
        MergeConfig config =
            Reader(where, allowed).read(documents.empty() ? YAML::Node() : documents.front());
        config.text = text;
        return config;
    } catch (const YAML::Exception& error) {
        throw Error(where + ":" + std::to_string(error.mark.line + 1) +
                    ": not YAML: " + printable(error.msg));
    }
}

}  // namespace assay
