#include "grader/json_fields.h"

#include <stdexcept>

namespace assay {

using Json = nlohmann::json;

std::string describe(const Json& value) {
    switch (value.type()) {
        case Json::value_t::null:
            return "nothing";
        case Json::value_t::boolean:
            return value.get<bool>() ? "true" : "false";
        case Json::value_t::string:
            return "a string";
        case Json::value_t::array:
            return "a list";
        case Json::value_t::object:
            return "an object";
        default:
            return "the number " + value.dump();
    }
}

std::string parse_failure(const Json::parse_error& error, std::size_t bytes) {
    const std::string_view what = error.what();
    std::string cause = "invalid JSON";
    if (what.find("UTF-8") != std::string_view::npos)
        cause = "invalid UTF-8";
    else if (bytes == 0 || what.find("unexpected end of input") != std::string_view::npos)
        cause = "incomplete JSON";
    return cause + " at byte " + std::to_string(error.byte) + " of " + std::to_string(bytes);
}

std::string text_or_empty(const Json& object, const char* key) {
    const auto field = object.find(key);
    return field != object.end() && field->is_string() ? field->get<std::string>() : "";
}

void JsonFields::fail(const std::string& message) const {
    throw std::runtime_error(place_ + message);
}

const Json* JsonFields::find(const std::string& key) const {
    const auto field = object_.find(key);
    return field == object_.end() || field->is_null() ? nullptr : &*field;
}

const Json& JsonFields::at(const std::string& key) const {
    const Json* field = find(key);
    if (!field) fail(key + " is missing");
    return *field;
}

std::optional<std::string> JsonFields::optional_string(const std::string& key) const {
    const Json* field = find(key);
    if (!field) return std::nullopt;
    if (!field->is_string()) fail(key + ": expected a string, found " + describe(*field));
    return field->get<std::string>();
}

std::string JsonFields::string(const std::string& key) const {
    at(key);
    return *optional_string(key);
}

}  // namespace assay
