#include "grader/datasets/field_map.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace assay {
namespace {

using Json = nlohmann::json;

struct Field {
    std::string_view name;
    bool required = false;
    bool any_value = false;  // not text alone
};

constexpr Field fields[] = {{"instruction", true},
                            {"response", true},
                            {"response_A", true},
                            {"response_B", true},
                            {"reference_answer"},
                            {"rubric", false, true},
                            {"context", false, true},
                            {"messages", true, true},
                            {"id", false, true},
                            {"label", false, true},
                            {"group"},
                            {"generator"},
                            {"generator_A"},
                            {"generator_B"}};

std::string_view head(std::string_view field) { return field.substr(0, field.find('.')); }

const Field* find_field(std::string_view name) {
    const auto* const found = std::ranges::find(fields, head(name), &Field::name);
    const bool may_be_inside = head(name) == "rubric" || head(name) == "label";
    if (found == std::end(fields) || (head(name) != name && !may_be_inside)) return nullptr;
    return found;
}

std::string field_list() {
    std::string list;
    for (const Field& field : fields) list.append(list.empty() ? "" : ", ").append(field.name);
    return list;
}

// A key may have dots itself.
const Json* at_path(const Json& value, std::string_view path) {
    if (path.empty()) return value.is_null() ? nullptr : &value;
    if (value.is_array()) {
        const std::string_view index = head(path);
        if (index.empty() || index.find_first_not_of("0123456789") != std::string_view::npos ||
            index.size() > 9)
            return nullptr;
        const std::size_t i = std::stoul(std::string(index));
        if (i >= value.size()) return nullptr;
        return at_path(value[i], path.substr(std::min(index.size() + 1, path.size())));
    }
    if (!value.is_object()) return nullptr;
    for (std::size_t end = path.size(); end != std::string_view::npos;
         end = end == 0 ? std::string_view::npos : path.rfind('.', end - 1)) {
        const auto found = value.find(std::string(path.substr(0, end)));
        if (found == value.end()) continue;
        if (const Json* inside = at_path(*found, path.substr(std::min(end + 1, path.size()))))
            return inside;
    }
    return nullptr;
}

Json as_text(const Json& value) {
    return value.is_number() || value.is_boolean() ? Json(value.dump()) : value;
}

// Fields that say the same as another, which stands in for them.
constexpr std::pair<std::string_view, std::string_view> replaced[] = {
    {"instruction", "messages"}, {"messages", "instruction"}, {"response", "response_A"},
    {"response", "response_B"},  {"response_A", "response"},  {"response_B", "response"},
};

void erase_replaced(std::span<const FieldMapping> mappings, Json& item) {
    const auto is_mapped = [&](std::string_view name) {
        return std::ranges::find(mappings, name, &FieldMapping::field) != mappings.end();
    };
    for (const auto& [by, name] : replaced)
        if (is_mapped(by) && !is_mapped(name)) item.erase(std::string(name));
}

}  // namespace

Json label_of(const Json& value) {
    if (!value.is_string()) return value;
    Json parsed = Json::parse(value.get_ref<const std::string&>(), nullptr, false);
    return parsed.is_discarded() ? value : parsed;
}

FieldMapping parse_mapping(const std::string& text) {
    const std::size_t sign = text.find('=');
    if (sign == std::string::npos || sign == 0 || sign + 1 == text.size())
        throw std::runtime_error("\"" + text + "\" given, FIELD=PATH expected");
    FieldMapping mapping{text.substr(0, sign), text.substr(sign + 1)};
    if (!find_field(mapping.field))
        throw std::runtime_error("\"" + mapping.field + "\" is no field of an item: there are " +
                                 field_list());
    return mapping;
}

void map_fields(const JsonFields& record, std::span<const FieldMapping> mappings, Json& item) {
    for (const auto& [name, path] : mappings) {
        const Field& field = *find_field(name);
        const Json* value = at_path(record.object(), path);
        if (!value && field.required) record.fail(path + " is missing, which is mapped to " + name);
        if (!value) continue;
        Json& whole = item[std::string(field.name)];
        const bool inside = name.size() > field.name.size();
        if (inside && !whole.is_object()) whole = Json::object();
        Json& target = inside ? whole[name.substr(field.name.size() + 1)] : whole;
        target = field.name == "label" ? label_of(*value)
                 : field.any_value     ? *value
                                       : as_text(*value);
    }
    erase_replaced(mappings, item);
}

}  // namespace assay
