#pragma once
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "grader/mode.h"

namespace assay {

// What people or a stronger judge said of an item.
struct Label {
    std::map<std::string, std::vector<double>> scores;  // of a response, by who gave them
    std::optional<char> preferred = {};                 // of a pair: 'A', 'B', or '=' for a tie

    // Over the mean of everyone who gave scores; nothing for a pair.
    std::optional<double> mean() const;
    std::optional<double> mean_of(const std::string& source) const;  // nothing if it gave none
    bool operator==(const Label&) const = default;
};

// Reads a number, a list of numbers, or an object of those by who said it ({"gpt4": [4, 5],
// "human": 4}); of a pair "A", "B" or "tie". A number or list alone is by "label". Throws a
// runtime_error beginning with `place`.
Label parse_label(const nlohmann::json& value, Mode mode, const std::string& place);

nlohmann::ordered_json to_json(const Label& label);  // which parse_label reads

}  // namespace assay
