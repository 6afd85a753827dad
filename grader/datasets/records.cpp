#include "grader/datasets/records.h"

#include <algorithm>
#include <initializer_list>
#include <string_view>
#include <utility>
#include <vector>

#include "grader/datasets/csv.h"
#include "grader/datasets/dataset.h"
#include "grader/json_fields.h"
#include "grader/unicode.h"

namespace assay {
namespace {

using Json = nlohmann::json;

constexpr std::size_t most_object_bytes = 512u << 20;
constexpr std::size_t most_nested = 256;  // copies of a value use the stack

// Whether lists and objects of a JSON text stand in one another deeper than is sane.
bool nests_too_deep(std::string_view text) {
    std::size_t depth = 0;
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (quoted && c == '\\') ++i;
        if (c == '"') quoted = !quoted;
        if (quoted) continue;
        if ((c == '{' || c == '[') && ++depth > most_nested) return true;
        if ((c == '}' || c == ']') && depth > 0) --depth;
    }
    return false;
}

std::variant<Json, std::string> parsed(const std::string& text, const std::string& place) {
    if (nests_too_deep(text))
        return place + "nested deeper than " + std::to_string(most_nested) + " levels";
    try {
        Json object = Json::parse(text);
        if (object.is_object()) return object;
        return place + "expected an object, found " + describe(object);
    } catch (const Json::parse_error& error) {
        return place + parse_failure(error, text.size());
    } catch (const Json::exception&) {  // nothing else can go wrong in a text that parses
        return place + "a number is too large";
    }
}

std::string record_place(std::size_t number) { return "record " + std::to_string(number) + ": "; }

// One object a line.
class LineRecords : public RecordReader {
public:
    explicit LineRecords(TextInput& input) : input_(input) {}

    std::optional<SourceRecord> next() override {
        const auto line = input_.next_line();
        if (!line) return std::nullopt;
        const std::string place = "line " + std::to_string(input_.line()) + ": ";
        return SourceRecord{input_.line(), place, parsed(*line, place)};
    }
    bool skip() override { return input_.next_line().has_value(); }
    bool at_hand() override { return input_.line_at_hand(); }

private:
    TextInput& input_;
};

bool is_space(int c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// The elements of an outermost list, one by one.
class ListRecords : public RecordReader {
public:
    explicit ListRecords(TextInput& input) : input_(input) {
        skip_space();
        input_.get();  // the bracket
    }

    std::optional<SourceRecord> next() override {
        const auto text = element();
        if (!text && !ends_badly()) return std::nullopt;
        const std::string place = record_place(++number_);
        if (!text)
            return SourceRecord{number_, place,
                                place + "expected the end of the list and of the text"};
        return SourceRecord{number_, place,
                            closed_ ? parsed(*text, place) : place + "the list ends within it"};
    }
    bool skip() override { return element().has_value() || ends_badly(); }
    bool at_hand() override {
        skip_space();
        return closed_ && input_.peek() != ']' && input_.peek() != TextInput::end;
    }

private:
    void skip_space() {
        while (is_space(input_.peek())) input_.get();
    }

    // Whether the list lacks its end or something follows it, once. Whoever is still writing may
    // never end their text.
    bool ends_badly() {
        if (!closed_ || input_.live() || std::exchange(ended_, true)) return false;
        if (input_.get() != ']') return true;
        skip_space();
        return input_.peek() != TextInput::end;
    }

    // The text up to the comma or bracket behind an element.
    std::optional<std::string> element() {
        skip_space();
        if (!closed_ || ended_ || input_.peek() == ']' || input_.peek() == TextInput::end)
            return std::nullopt;
        std::string text;
        std::size_t depth = 0;
        for (bool quoted = false;;) {
            const int c = input_.peek();
            if (c == TextInput::end) {
                closed_ = false;
                return text;
            }
            if (!quoted && depth == 0 && (c == ',' || c == ']')) break;
            text += static_cast<char>(input_.get());
            if (quoted && c == '\\' && input_.peek() != TextInput::end)
                text += static_cast<char>(input_.get());
            if (c == '"') quoted = !quoted;
            if (!quoted && (c == '{' || c == '[')) ++depth;
            if (!quoted && (c == '}' || c == ']') && depth > 0) --depth;
        }
        if (input_.peek() == ',') input_.get();
        return text;
    }

    TextInput& input_;
    std::size_t number_ = 0;
    bool closed_ = true;  // as far as is known
    bool ended_ = false;  // what follows is not of the list
};

// The rows of a table.
class TableRecords : public RecordReader {
public:
    explicit TableRecords(TextInput& input) : input_(input), rows_(input), names_(*rows_.next()) {}

    std::optional<SourceRecord> next() override {
        std::size_t line = 0;
        const auto row = rows_.next(&line);
        if (!row) return std::nullopt;
        const std::string place = "line " + std::to_string(line) + ": ";
        return SourceRecord{line, place, object_of(*row, place)};
    }
    bool skip() override { return rows_.next().has_value(); }
    bool at_hand() override { return input_.line_at_hand(); }

private:
    std::variant<Json, std::string> object_of(const CsvRow& row, const std::string& place) const {
        if (!row.closed) return place + "a quote is opened and not closed";
        if (row.fields.size() != names_.fields.size())
            return place + std::to_string(row.fields.size()) + " columns, the first line has " +
                   std::to_string(names_.fields.size());
        Json object = Json::object();
        for (std::size_t i = 0; i < row.fields.size(); ++i)
            object[names_.fields[i]] = row.fields[i].empty() ? Json() : Json(row.fields[i]);
        if (const auto at = invalid_text(object)) return place + *at + ": invalid UTF-8";
        return object;
    }

    static std::optional<std::string> invalid_text(const Json& object) {
        for (const auto& [name, value] : object.items())
            if (value.is_string() && find_invalid_utf8(value.get_ref<const std::string&>()))
                return name;
        return std::nullopt;
    }

    TextInput& input_;
    CsvReader rows_;
    CsvRow names_;
};

// Records that are in memory.
class ReadRecords : public RecordReader {
public:
    explicit ReadRecords(std::vector<Json> records) : records_(std::move(records)) {}

    std::optional<SourceRecord> next() override {
        if (!at_hand()) return std::nullopt;
        Json& record = records_[number_++];
        const std::string place = record_place(number_);
        if (record.is_object()) return SourceRecord{number_, place, std::move(record)};
        return SourceRecord{number_, place,
                            place + "expected an object, found " + describe(record)};
    }
    bool skip() override { return at_hand() && ++number_ > 0; }
    bool at_hand() override { return number_ < records_.size(); }

private:
    std::vector<Json> records_;
    std::size_t number_ = 0;
};

bool is_record(const Json& value) { return value.is_object() && recognise(value); }

// The lists of objects in an object, then those in objects inside it.
void collect_lists(Json& object, std::vector<Json*>& lists, int depth = 2) {
    for (auto& value : object)
        if (value.is_array() && !value.empty() && value.front().is_object())
            lists.push_back(&value);
    if (depth > 0)
        for (auto& value : object)
            if (value.is_object()) collect_lists(value, lists, depth - 1);
}

// The list of records in an object: the one of the most specific dataset, as the tests of a tool
// stand beside its results. Of an unknown layout, the only list of several objects.
Json* find_list(Json& object) {
    std::vector<Json*> lists;
    collect_lists(object, lists);
    Json* best = nullptr;
    const Dataset* of_best = nullptr;
    for (Json* list : lists)
        if (const Dataset* dataset = recognise(list->front());
            dataset && (!best || dataset < of_best)) {
            best = list;
            of_best = dataset;
        }
    if (!best && lists.size() == 1 && lists.front()->size() > 1) return lists.front();
    return best;
}

// Records by their name.
std::vector<Json> named_records(Json& object) {
    std::vector<Json> records;
    if (object.empty() || !is_record(*object.begin())) return records;
    for (auto& [name, record] : object.items()) {
        if (record.is_object() && !record.contains("id")) record["id"] = name;
        records.push_back(std::move(record));
    }
    return records;
}

// The records of an outermost object that is none itself; empty if it holds none.
std::vector<Json> records_inside(Json& object) {
    if (is_record(object)) return {};
    if (Json* list = find_list(object)) return std::move(list->get_ref<Json::array_t&>());
    return named_records(object);
}

// The whole of a text that may be one object; nullopt if it is none.
std::optional<Json> whole_object(std::string_view text) {
    if (nests_too_deep(text)) return std::nullopt;
    Json object = Json::parse(text, nullptr, false);
    if (!object.is_object()) return std::nullopt;
    return object;
}

std::unique_ptr<RecordReader> open_object(TextInput& input) {
    const std::string_view text = input.preview_all(most_object_bytes);
    auto object = whole_object(text);
    if (!object) return std::make_unique<LineRecords>(input);
    std::vector<Json> records = records_inside(*object);
    const bool one_line =
        text.substr(0, text.find_last_not_of(" \t\r\n")).find('\n') == std::string_view::npos;
    if (records.empty() && one_line) return std::make_unique<LineRecords>(input);
    if (records.empty()) records.push_back(*std::move(object));
    return std::make_unique<ReadRecords>(std::move(records));
}

// Whether the first line is an object by itself and another follows.
bool begins_with_lines(std::string_view text) {
    const std::size_t line_break = text.find('\n');
    if (line_break == std::string_view::npos) return false;
    return Json::accept(text.substr(0, line_break)) &&
           text.find_first_not_of(" \t\r\n", line_break) != std::string_view::npos;
}

// By the name, else by the first line; a damaged line of JSON is none of a table.
bool is_table(const TextInput& input, std::string_view text) {
    const auto called = [&](std::initializer_list<const char*> endings) {
        return std::ranges::any_of(endings,
                                   [&](const char* end) { return input.name().ends_with(end); });
    };
    if (called({".csv", ".tsv"})) return true;
    if (called({".jsonl", ".ndjson", ".json"})) return false;
    const std::size_t line_break = text.find('\n');
    const std::string_view first = text.substr(0, line_break);
    const bool line_of_json = first.find_first_of("{}[]") != std::string_view::npos;
    const bool json_follows =
        line_break != std::string_view::npos && text.substr(line_break + 1).starts_with('{');
    return !line_of_json && !json_follows && first.find_first_of(",;\t") != std::string_view::npos;
}

// Whether somebody's first line only begins an object, which the next ones go on with.
bool begins_object(std::string_view text) {
    const std::string_view first = text.substr(0, text.find('\n'));
    try {
        [[maybe_unused]] const Json whole = Json::parse(first);
    } catch (const Json::parse_error& error) {
        return parse_failure(error, first.size()).starts_with("incomplete");
    } catch (const Json::exception&) {
    }
    return false;
}

}  // namespace

std::unique_ptr<RecordReader> open_records(TextInput& input) {
    constexpr std::size_t glance = 1 << 20;
    std::string_view text = input.preview(glance);
    text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
    if (!text.empty() && is_table(input, text)) return std::make_unique<TableRecords>(input);
    if (text.starts_with('[')) return std::make_unique<ListRecords>(input);
    const bool lines = input.live() ? !begins_object(text) : begins_with_lines(text);
    if (!text.starts_with('{') || lines) return std::make_unique<LineRecords>(input);
    return open_object(input);
}

}  // namespace assay
