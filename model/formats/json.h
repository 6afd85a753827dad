#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace assay {

// Strict JSON from an untrusted file: one object, UTF-8, at most 64 levels deep, no name twice in
// the outermost object or in the objects directly inside it. Throws Error beginning with `where`.
nlohmann::json parse_json_object(const std::string& where, std::string_view text);

}  // namespace assay
