#pragma once
#include <array>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

// A scale other than the one of 1 to 5 that judges are trained on. The judge is asked as ever; each
// of its five scores stands for a value of the scale, and what it holds likely of the scores it
// holds likely of the values.
struct Scale {
    std::string_view name;
    std::array<double, 5> values;  // what the scores 1 to 5 stand for, ascending
    // What the smallest and the greatest value are called; numbers where this is empty.
    std::array<std::string_view, 2> words = {};
    int pass_at = 0;  // the least score that passes; 0: the scale does not ask

    // Of `probabilities` of the scores 1 to 5:
    double expected(std::span<const double> probabilities) const;
    // The least value that has at least `share` of the probability up to it.
    double quantile(std::span<const double> probabilities, double share) const;
};

constexpr std::string_view own_scale = "1-5";  // of the judges
constexpr int default_pass_at = 4, least_pass_at = 2, most_pass_at = 5;

std::vector<std::string> scale_names();  // own_scale and all others
std::string scale_help();                // a line for each: its name and its mapping

// nullopt of own_scale. `pass_at` serves the scales that ask whether a response passes. Throws a
// runtime_error if there is no scale of that name.
std::optional<Scale> scale_named(std::string_view name, int pass_at = default_pass_at);

// {"name", "pass_at"?}: what a journal's header says of it.
nlohmann::ordered_json to_json(const Scale& scale);

// What a record says of a grade on the scale: {"name", "pass_at"?, "value": expected, "verdict":
// what the score stands for, "probs": {value: probability} or, where each score has a value of its
// own, "quantiles": {"0.05", "0.5", "0.95"}, "trained": false}.
nlohmann::ordered_json to_json(const Scale& scale, int score,
                               std::span<const double> probabilities);

// "7.20 on the scale 1-10"; "fail, with a probability of passing of 0.83".
std::string text_of(const Scale& scale, int score, std::span<const double> probabilities);

}  // namespace assay
