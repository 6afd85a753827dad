#include "grader/rubric.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>

#include "grader/unicode.h"

namespace assay {
namespace {

constexpr std::size_t level_count = 5;
constexpr std::array<std::string_view, 1 + level_count> keys{
    "criteria",           "score1_description", "score2_description",
    "score3_description", "score4_description", "score5_description"};
constexpr std::string_view expected_keys =
    "a rubric has criteria and score1_description to score5_description";
constexpr std::streamsize max_file_bytes = 1 << 20;

[[noreturn]] void fail(const std::string& place, const std::string& message) {
    throw std::runtime_error(place + ": " + message);
}

// A name from outside, fit for one line of a message.
std::string in_quotes(std::string_view name) {
    constexpr std::size_t longest = 60;
    std::string text(name.substr(0, longest));
    std::replace_if(
        text.begin(), text.end(),
        [](char c) { return std::iscntrl(static_cast<unsigned char>(c)); }, ' ');
    return "\"" + text + (name.size() > longest ? "...\"" : "\"");
}

bool is_blank(std::string_view text) {
    const std::u32string points = decode_utf8(text);
    return std::all_of(points.begin(), points.end(), is_space);
}

std::string score_line(std::size_t level) { return "\nScore " + std::to_string(level) + ":"; }

using Fields = std::array<const RubricField*, keys.size()>;  // as in `keys`; null where absent

Fields sort_fields(std::span<const RubricField> fields) {
    Fields sorted{};
    for (const RubricField& field : fields) {
        const auto key = std::find(keys.begin(), keys.end(), field.key);
        if (key == keys.end())
            fail(field.place,
                 "unknown key " + in_quotes(field.key) + " (" + std::string(expected_keys) + ")");
        const RubricField*& slot = sorted.at(static_cast<std::size_t>(key - keys.begin()));
        if (slot) fail(field.place, field.key + " is given twice");
        if (is_blank(field.text)) fail(field.place, field.key + " is empty");
        slot = &field;
    }
    return sorted;
}

void check_complete(const Fields& fields, const std::string& place) {
    const std::string* last_place = &place;
    for (std::size_t i = 0; i < keys.size(); ++i) {
        if (!fields[i])
            fail(*last_place,
                 std::string(keys[i]) + " is missing (" + std::string(expected_keys) + ")");
        last_place = &fields[i]->place;
    }
}

void check_different(const Fields& fields) {
    for (std::size_t i = 1; i < keys.size(); ++i)
        for (std::size_t j = 1; j < i; ++j)
            if (fields[i]->text == fields[j]->text)
                fail(fields[i]->place,
                     fields[i]->key + " repeats " + fields[j]->key + ", levels must differ");
}

std::string read_file(const std::filesystem::path& path) {
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    if (!file) fail(path.string(), std::string("cannot be opened: ") + std::strerror(errno));
    std::string text(static_cast<std::size_t>(max_file_bytes) + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (file.bad()) fail(path.string(), std::string("cannot be read: ") + std::strerror(errno));
    if (file.gcount() > max_file_bytes)
        fail(path.string(), "more than " + std::to_string(max_file_bytes) +
                                " bytes, a rubric file has at most that many");
    text.resize(static_cast<std::size_t>(file.gcount()));
    return text;
}

std::size_t line_of(std::string_view text, std::size_t at) {
    return static_cast<std::size_t>(
               std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n')) +
           1;
}

// Where the quoted text that begins at `open` ends; npos if a line that is not indented comes
// first, which YAML forbids there and yaml-cpp reads as part of the text.
std::size_t closing_quote(std::string_view text, std::size_t open) {
    const char quote = text[open];
    for (std::size_t i = open + 1; i < text.size(); ++i) {
        if (text[i] == quote) return i;
        if (quote == '"' && text[i] == '\\') ++i;
        const bool line_ends = text[i] == '\n' && i + 1 < text.size();
        if (line_ends && std::string_view(" \t\r\n").find(text[i + 1]) == std::string_view::npos)
            break;
    }
    return std::string_view::npos;
}

// Looks at the lines `key: "..."` that begin at the first column, as a rubric's do.
void check_quotes(std::string_view text, const std::string& path) {
    for (std::size_t begin = 0; begin < text.size();) {
        std::size_t end = std::min(text.find('\n', begin), text.size());
        const std::string_view line = text.substr(begin, end - begin);
        const std::size_t colon = line.find(": ");
        const std::size_t value = line.find_first_not_of(' ', std::min(colon, line.size() - 1) + 1);
        const bool quoted = colon != std::string_view::npos && value != std::string_view::npos &&
                            (line[value] == '"' || line[value] == '\'');
        if (quoted && std::string_view(" \t#{[").find(line[0]) == std::string_view::npos) {
            const std::size_t close = closing_quote(text, begin + value);
            if (close == std::string_view::npos)
                fail(path + ":" + std::to_string(line_of(text, begin)),
                     in_quotes(line.substr(0, colon)) +
                         ": its text opens a quote and does not close it");
            end = std::min(text.find('\n', close), text.size());
        }
        begin = end + 1;
    }
}

// The one document of a YAML text.
YAML::Node parse_yaml(const std::string& text, const std::string& path) {
    if (const auto at = find_invalid_utf8(text))
        fail(path + ":" + std::to_string(line_of(text, *at)), "invalid UTF-8");
    check_quotes(text, path);
    const std::vector<YAML::Node> documents = YAML::LoadAll(text);
    if (documents.size() > 1)
        fail(path + ":" + std::to_string(documents[1].Mark().line + 1),
             "a second document, a rubric file has one");
    return documents.empty() ? YAML::Node() : documents.front();
}

bool is_number(const YAML::Node& node) {
    double number = 0;
    return node.Tag() == "?" &&
           YAML::convert<double>::decode(node, number);  // "?": no quotes, no tag
}

// What a node is when it isn't text; nullopt when it is.
std::optional<std::string> other_than_text(const YAML::Node& node) {
    switch (node.Type()) {
        case YAML::NodeType::Scalar:
            if (is_number(node)) return "the number " + node.Scalar();
            return std::nullopt;
        case YAML::NodeType::Sequence:
            return "a list";
        case YAML::NodeType::Map:
            return "a mapping";
        case YAML::NodeType::Null:
        case YAML::NodeType::Undefined:
            break;
    }
    return "nothing";
}

// A block scalar ends with a line break that is no part of the text.
std::string without_trailing_space(std::string text) {
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
    return text;
}

std::vector<RubricField> fields_of(const YAML::Node& root, const std::string& path) {
    const auto place = [&](const YAML::Node& node) {
        return path + ":" + std::to_string(node.Mark().line + 1);
    };
    if (!root.IsMap())
        fail(root.Mark().is_null() ? path : place(root),
             "expected a mapping with criteria and levels, found " +
                 other_than_text(root).value_or("text"));
    std::vector<RubricField> fields;
    for (const auto& entry : root) {
        const YAML::Node& key = entry.first;
        const YAML::Node& value = entry.second;
        if (const auto found = other_than_text(key))
            fail(place(key), "expected a key, found " + *found);
        if (const auto found = other_than_text(value); found && !value.IsNull())
            fail(place(key), key.Scalar() + ": expected text, found " + *found);
        fields.push_back({key.Scalar(),
                          value.IsNull() ? "" : without_trailing_space(value.Scalar()),
                          place(key)});
    }
    return fields;
}

bool is_one_word(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-';
    });
}

}  // namespace

std::string_view Rubric::block(Mode mode) const {
    const std::string_view whole = text;
    return mode == Mode::absolute ? whole : whole.substr(0, whole.find(score_line(1)));
}

void Rubric::check_serves(Mode mode, const std::string& place) const {
    if (mode == Mode::absolute && criteria_only)
        fail(place, "an absolute grade needs 5 levels (score1_description ...), found 0");
}

bool Rubric::has_levels() const {
    const std::string lines = "\n" + text;
    for (std::size_t level = 1; level <= level_count; ++level)
        if (lines.find(score_line(level)) == std::string::npos) return false;
    return true;
}

RubricParts parts_of(const Rubric& rubric) {
    RubricParts parts;
    std::string_view rest = rubric.text;
    std::string* part = &parts.criteria;
    for (std::size_t level = 1; level <= level_count; ++level) {
        const std::string line = score_line(level);
        const std::size_t at = rest.find(line);
        if (at == std::string_view::npos) break;
        *part = rest.substr(0, at);
        rest.remove_prefix(at + line.size());
        if (rest.starts_with(' ')) rest.remove_prefix(1);
        part = &parts.levels.emplace_back();
    }
    *part = rest;
    std::string& criteria = parts.criteria;
    if (criteria.starts_with('[') && criteria.ends_with(']'))
        criteria = criteria.substr(1, criteria.size() - 2);
    return parts;
}

std::string to_yaml(const RubricParts& parts) {
    YAML::Emitter yaml;
    yaml << YAML::BeginMap << YAML::Key << std::string(keys[0]) << YAML::Value << YAML::DoubleQuoted
         << parts.criteria;
    for (std::size_t i = 0; i < parts.levels.size(); ++i)
        yaml << YAML::Key << std::string(keys.at(i + 1)) << YAML::Value << YAML::DoubleQuoted
             << parts.levels[i];
    yaml << YAML::EndMap;
    return std::string(yaml.c_str()) + "\n";
}

nlohmann::ordered_json to_json(const RubricParts& parts) {
    nlohmann::ordered_json json{{keys[0], parts.criteria}};
    for (std::size_t i = 0; i < parts.levels.size(); ++i) json[keys.at(i + 1)] = parts.levels[i];
    return json;
}

Rubric make_rubric(std::span<const RubricField> fields, const std::string& place) {
    const Fields sorted = sort_fields(fields);
    const bool criteria_only = sorted[0] && fields.size() == 1;
    if (criteria_only) return {"[" + sorted[0]->text + "]", true};
    check_complete(sorted, place);
    check_different(sorted);
    std::string text = "[" + sorted[0]->text + "]";
    for (std::size_t level = 1; level <= level_count; ++level)
        text += score_line(level) + " " + sorted[level]->text;
    return {text, false};
}

Rubric load_rubric(const std::filesystem::path& path) {
    try {
        const YAML::Node root = parse_yaml(read_file(path), path.string());
        const std::string place =
            path.string() + ":" + std::to_string(std::max(root.Mark().line, 0) + 1);
        return make_rubric(fields_of(root, path.string()), place);
    } catch (const YAML::Exception& error) {
        fail(path.string() + ":" + std::to_string(error.mark.line + 1), error.msg);
    }
}

Rubric rubric_from_string(std::string_view text) {
    if (const Rubric* builtin = builtin_rubric(text)) return *builtin;
    if (is_blank(text)) throw std::runtime_error("rubric is empty");
    if (is_one_word(text))
        throw std::runtime_error("rubric " + in_quotes(text) + ": built in are " +
                                 builtin_rubric_list());
    return {std::string(text), false};
}

Rubric rubric_from_argument(const std::string& name_or_path) {
    if (const Rubric* builtin = builtin_rubric(name_or_path)) return *builtin;
    if (!std::filesystem::exists(name_or_path))
        throw std::runtime_error("rubric " + in_quotes(name_or_path) +
                                 ": no such file, and built in are " + builtin_rubric_list());
    return load_rubric(name_or_path);
}

}  // namespace assay
