#include "grader/results.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <map>
#include <utility>

#include "grader/datasets/dataset.h"
#include "runtime/error.h"

namespace assay {
namespace {

using Json = nlohmann::ordered_json;

// Every record has one of these.
constexpr std::array verdict_fields{"score", "verdict", "reason", "error"};

const Json* find_in(const Json& json, std::string_view path) {
    if (!json.is_object()) return nullptr;
    if (const auto field = json.find(std::string(path)); field != json.end()) return &*field;
    for (std::size_t dot = path.find('.'); dot != path.npos; dot = path.find('.', dot + 1))
        if (const auto field = json.find(std::string(path.substr(0, dot))); field != json.end())
            if (const Json* inner = find_in(*field, path.substr(dot + 1))) return inner;
    return nullptr;
}

[[noreturn]] void fail(std::size_t line, const std::string& what) {
    throw Error("line " + std::to_string(line) + ": " + what);
}

std::string text_of(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// "a string", as errors name a type.
std::string type_of(const Json& json) {
    if (json.is_null()) return "null";
    if (json.is_object()) return "an object";
    if (json.is_array()) return "a list";
    if (json.is_string()) return "a string";
    return json.is_boolean() ? "a truth value" : "a number";
}

double number_in(const Json& json, std::size_t line, std::string_view column) {
    if (!json.is_number())
        fail(line, std::string(column) + ": expected a number in the list, found " + type_of(json));
    return json.get<double>();
}

std::optional<Mode> mode_of(const Result& result) {
    const Json* mode = result.find("mode");
    for (const Mode known : {Mode::absolute, Mode::relative})
        if (mode && *mode == name(known)) return known;
    if (!result.scored()) return std::nullopt;
    return result.find("verdict") ? Mode::relative : Mode::absolute;
}

std::string string_at(const Result& result, std::string_view field) {
    const Json* json = result.find(field);
    if (!json) return "";
    if (!json->is_string())
        fail(result.line, std::string(field) + ": expected a string, found " + type_of(*json));
    return json->get<std::string>();
}

std::vector<std::string> generators_of(const Result& result) {
    const std::string one = string_at(result, "generator");
    if (!one.empty()) return {one};
    std::vector<std::string> two{string_at(result, "generator_A"),
                                 string_at(result, "generator_B")};
    if (two[0].empty() || two[1].empty()) return {};
    return two;
}

std::vector<std::uint64_t> characters_of(const Result& result) {
    const Json* json = result.find("characters");
    if (!json) return {};
    std::vector<std::uint64_t> counts;
    for (const Json& count : json->is_array() ? *json : Json::array({*json})) {
        if (!count.is_number_unsigned())
            fail(result.line, "characters: expected a count or two, found " + text_of(*json));
        counts.push_back(count.get<std::uint64_t>());
    }
    return counts;
}

std::vector<std::string> warnings_of(const Result& result) {
    std::vector<std::string> warnings;
    if (const Json* list = result.find("warnings"); list && list->is_array())
        for (const Json& warning : *list)
            if (warning.is_string()) warnings.push_back(warning.get<std::string>());
    return warnings;
}

std::optional<Label> label_of(const Result& result) {
    const Json* json = result.find("label");
    if (!json) return std::nullopt;
    const Mode mode = result.mode.value_or(json->is_string() ? Mode::relative : Mode::absolute);
    return parse_label(*json, mode, "line " + std::to_string(result.line) + ": label");
}

std::optional<Scale> scale_of(const Result& result) {
    if (!result.find("scale")) return std::nullopt;
    const auto pass_at = result.number("scale.pass_at").value_or(default_pass_at);
    try {
        return scale_named(result.text("scale.name"), static_cast<int>(pass_at));
    } catch (const std::runtime_error& error) {
        fail(result.line, error.what());
    }
}

// Probabilities that come of a softmax may be above 1 by a rounding at most.
void check_confidence(const Result& result) {
    const auto confidence = result.number("confidence");
    if (!confidence || (*confidence >= 0 && *confidence <= 1)) return;
    char text[64];
    std::snprintf(text, sizeof text, "%.17g", *confidence);
    fail(result.line, std::string("confidence: ") + text + " found, 0 to 1 expected");
}

// What is around the verdict of a record.
void read_fields(Result& result) {
    result.item_hash = string_at(result, "item_hash");
    result.label = label_of(result);
    result.scale = scale_of(result);
    result.group = string_at(result, "group");
    result.generators = generators_of(result);
    result.characters = characters_of(result);
    result.warnings = warnings_of(result);
    check_confidence(result);
}

bool is_record(const Result& result) {
    return std::ranges::any_of(verdict_fields, [&](const char* field) {
        return result.json.contains(field);  // also as null
    });
}

Result result_of(Json json, std::size_t line) {
    Result result{.json = std::move(json), .line = line};
    const Json* id = result.find("id");
    result.id = !id               ? std::to_string(line)
                : id->is_string() ? id->get<std::string>()
                                  : text_of(*id);
    result.facts = facts_of(result.json);
    result.mode = mode_of(result);
    if (is_record(result)) read_fields(result);
    return result;
}

bool is_duplicate(const Result& result) {
    return std::ranges::find(result.warnings, "duplicate_id") != result.warnings.end();
}

// What the judge saw: the item's hash, or what was wrong with a line that was no item.
std::string content_of(const Result& result) {
    for (const char* field : {"item_hash", "error"})
        if (const Json* content = result.find(field)) return text_of(*content);
    return "";
}

// The id with its type; of a record without one the number of its line.
std::string id_key(const Result& result) {
    const Json* id = result.find("id");
    return id ? text_of(*id) : result.id;
}

// Whether `later` says anew what `earlier`, of the same id, said.
bool replaces(const Result& later, const Result& earlier) {
    const bool same = content_of(later) == content_of(earlier);
    if (same && !earlier.scored()) return true;
    return (later.scored() || !same) && !is_duplicate(later) && !is_duplicate(earlier);
}

bool is_header(const Json& json) { return json.contains("assay") && json["assay"].is_object(); }

class Reader {
public:
    void read(std::istream& lines) {
        std::string line;
        for (std::size_t number = 1; std::getline(lines, line); ++number) {
            const bool whole = !lines.eof();
            if (line.find_first_not_of(" \t\r") == line.npos) continue;
            Json json = Json::parse(line, nullptr, false);
            if (json.is_discarded() && !whole) return;  // the run that writes it goes on
            if (!json.is_object())
                fail(number, "expected a JSON object, found " +
                                 (json.is_discarded() ? "no JSON" : type_of(json)));
            if (!is_header(json)) put(result_of(std::move(json), number));
        }
        if (lines.bad()) throw Error(std::strerror(errno));
    }

    std::vector<Result> take() { return std::move(results_); }

private:
    void put(Result result) {
        // Records without an id are of different items.
        if (!result.find("id")) return results_.push_back(std::move(result));
        std::vector<std::size_t>& places = by_id_[text_of(*result.find("id"))];
        const auto place = std::ranges::find_if(
            places, [&](std::size_t i) { return replaces(result, results_[i]); });
        if (place != places.end()) {
            results_[*place] = std::move(result);
            return;
        }
        places.push_back(results_.size());
        results_.push_back(std::move(result));
    }

    std::vector<Result> results_;
    std::map<std::string, std::vector<std::size_t>> by_id_;
};

}  // namespace

const Json* Result::find(std::string_view path) const {
    const Json* field = find_in(json, path);
    return field && !field->is_null() ? field : nullptr;
}

std::optional<double> Result::number(std::string_view path) const {
    const Json* field = find(path);
    if (!field || !field->is_number()) return std::nullopt;
    return field->get<double>();
}

std::string_view Result::text(std::string_view path) const {
    const Json* field = find(path);
    return field && field->is_string() ? std::string_view(field->get_ref<const std::string&>())
                                       : "";
}

Cell cell(const Result& result, std::string_view column) {
    if (column == "label" && result.label) {
        if (const auto mean = result.label->mean()) return *mean;
        if (const auto preferred = result.label->preferred)
            return *preferred == '=' ? std::string("tie") : std::string(1, *preferred);
    }
    const Json* field = result.find(column);
    if (!field) return std::monostate();
    if (field->is_number()) return field->get<double>();
    if (field->is_boolean()) return field->get<bool>() ? 1.0 : 0.0;
    if (field->is_string()) return field->get<std::string>();
    if (!field->is_array() || field->empty())
        fail(result.line, std::string(column) +
                              ": expected a number, a list of numbers or a word, found " +
                              type_of(*field));
    double sum = 0;
    for (const Json& each : *field) sum += number_in(each, result.line, column);
    return sum / static_cast<double>(field->size());
}

SameItems::SameItems(std::span<const Result> results) {
    for (const Result& result : results) by_id_[id_key(result)].push_back(&result);
}

const Result* SameItems::of(const Result& result) const {
    const auto found = by_id_.find(id_key(result));
    if (found == by_id_.end()) return nullptr;
    const std::vector<const Result*>& all = found->second;
    const auto same = std::ranges::find_if(
        all, [&](const Result* other) { return content_of(*other) == content_of(result); });
    return same == all.end() ? all.front() : *same;
}

void require_verdicts(std::span<const Result> results, const std::string& name) {
    if (results.empty() || std::ranges::any_of(results, is_record)) return;
    const Dataset* items = recognise(nlohmann::json(results.front().json));
    throw Error(name + ": " + std::to_string(results.size()) +
                (items ? " items (" + std::string(items->name) + "), not records: grade them first"
                       : " lines without a verdict, records of `assay grade` expected"));
}

std::vector<Result> read_results(std::istream& lines, const std::string& name) {
    Reader reader;
    try {
        reader.read(lines);
    } catch (const std::exception& error) {
        throw Error(name + ": " + error.what());
    }
    return reader.take();
}

std::vector<Result> read_results(const std::string& path) {
    if (path == "-") return read_results(std::cin, "standard input");
    std::ifstream file(path);
    if (!file) throw Error(path + ": " + std::strerror(errno));
    return read_results(file, path);
}

}  // namespace assay
