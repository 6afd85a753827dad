#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace assay {

// What a JSON value is, for messages: "a list", "the number 3", "nothing".
std::string describe(const nlohmann::json& value);

// The cause in nlohmann's message, which quotes the input at any length: "invalid JSON at byte 2 of
// 3".
std::string parse_failure(const nlohmann::json::parse_error& error, std::size_t bytes);

// A text that an object has under this key; empty where it has none, or another type.
std::string text_or_empty(const nlohmann::json& object, const char* key);

// The fields of an object from outside. What is wrong with one is a runtime_error that begins with
// `place`, such as "line 7: ".
class JsonFields {
public:
    // The object must outlive this.
    JsonFields(const nlohmann::json& object, std::string place)
        : object_(object), place_(std::move(place)) {}

    const nlohmann::json& object() const { return object_; }
    const std::string& place() const { return place_; }
    [[noreturn]] void fail(const std::string& message) const;

    // Null where the field is absent or null.
    const nlohmann::json* find(const std::string& key) const;
    const nlohmann::json& at(const std::string& key) const;  // must be there
    std::optional<std::string> optional_string(const std::string& key) const;
    std::string string(const std::string& key) const;

private:
    const nlohmann::json& object_;
    std::string place_;
};

}  // namespace assay
