#pragma once
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "grader/mode.h"

namespace assay {

// What a judge grades by.
struct Rubric {
    std::string text;  // an absolute prompt's block: "[criteria]", then lines "Score 1: ..." to
                       // "Score 5: ..."
    bool criteria_only = false;  // made from criteria without levels: serves pairs alone

    // The part a prompt of this mode shows; pairs are compared by the criteria, without the levels.
    std::string_view block(Mode mode) const;

    // Throws a runtime_error beginning with `place` if no prompt of this mode can be made with it.
    void check_serves(Mode mode, const std::string& place) const;

    // Whether the text has all five "Score n:" lines.
    bool has_levels() const;
};

// What a rubric's text is made of.
struct RubricParts {
    std::string criteria;             // without its brackets
    std::vector<std::string> levels;  // of scores 1 to 5, as far as they follow one another
};

RubricParts parts_of(const Rubric& rubric);

// In the layout of a rubric file.
std::string to_yaml(const RubricParts& parts);
nlohmann::ordered_json to_json(const RubricParts& parts);

// One field of a rubric as it was read, and where: what an error about it begins with.
struct RubricField {
    std::string key;
    std::string text;
    std::string place;
};

// A rubric from the fields criteria and score1_description to score5_description; all five
// descriptions or none. Throws a runtime_error on a missing, empty, unknown or repeated field and
// on equal descriptions.
Rubric make_rubric(std::span<const RubricField> fields, const std::string& place);

// Reads a rubric file, YAML or JSON (at most 1 MiB). Errors begin with "path:line: ".
Rubric load_rubric(const std::filesystem::path& path);

// The published rubric of that name, or null. Valid for the life of the program.
const Rubric* builtin_rubric(std::string_view name);

std::span<const std::string_view> builtin_rubric_names();

// "helpfulness, harmlessness, ...", for messages and help.
std::string builtin_rubric_list();

// A rubric given as one string in an item: a built-in name, or the block itself, used as it is.
// A single word that is no built-in name is an error.
Rubric rubric_from_string(std::string_view text);

// A rubric given on the command line: a built-in name, or the path of a rubric file.
Rubric rubric_from_argument(const std::string& name_or_path);

}  // namespace assay
