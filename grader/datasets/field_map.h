#pragma once
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "grader/json_fields.h"

namespace assay {

// "instruction=prompt": the field of an item, and where it is found in a record: a key or a dotted
// path such as "choices.0.text".
struct FieldMapping {
    std::string field;  // of the native form; "rubric.criteria" and "label.human" are some too
    std::string path;
};

// Throws a runtime_error if the text is no FIELD=PATH or no item has such a field.
FieldMapping parse_mapping(const std::string& text);

// A label as tables have it, text: numbers and lists in it are read as such.
nlohmann::json label_of(const nlohmann::json& value);

// Writes the mapped fields into an item: numbers become text where text is wanted, text becomes a
// number in labels. A mapped instruction takes the place of messages, one response that of two, and
// the other way round, unless both are mapped. Throws a
// runtime_error beginning with the record's place if an item can't do without one that is missing.
void map_fields(const JsonFields& record, std::span<const FieldMapping> mappings,
                nlohmann::json& item);

}  // namespace assay
