#include "grader/item.h"

#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "runtime/sha256.h"

namespace assay {
namespace {

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

// The cause in nlohmann's message, which quotes the input at any length.
std::string parse_failure(const Json::parse_error& error, std::size_t line_bytes) {
    const std::string_view what = error.what();
    std::string cause = "invalid JSON";
    if (what.find("UTF-8") != std::string_view::npos)
        cause = "invalid UTF-8";
    else if (line_bytes == 0 || what.find("unexpected end of input") != std::string_view::npos)
        cause = "incomplete JSON";
    return cause + " at byte " + std::to_string(error.byte) + " of " + std::to_string(line_bytes);
}

// One item's object and what an error about it begins with.
class Reader {
public:
    Reader(const Json& object, std::string place) : object_(object), place_(std::move(place)) {}

    [[noreturn]] void fail(const std::string& message) const {
        throw std::runtime_error(place_ + message);
    }

    // Null where the field is absent or null.
    const Json* find(const char* key) const {
        const auto field = object_.find(key);
        return field == object_.end() || field->is_null() ? nullptr : &*field;
    }

    std::optional<std::string> optional_string(const char* key) const {
        const Json* field = find(key);
        if (!field) return std::nullopt;
        if (!field->is_string())
            fail(std::string(key) + ": expected a string, found " + describe(*field));
        return field->get<std::string>();
    }

    std::string string(const char* key) const {
        auto text = optional_string(key);
        if (!text) fail(std::string(key) + " is missing");
        return *std::move(text);
    }

    std::optional<ItemId> id() const {
        const Json* field = find("id");
        if (!field) return std::nullopt;
        if (field->is_string()) return ItemId{field->get<std::string>(), false};
        if (!field->is_number_integer())
            fail("id: expected a string or an integer, found " + describe(*field));
        return ItemId{field->dump(), true};
    }

    Mode mode(std::optional<Mode> forced) const {
        if (forced) return *forced;
        const char* const of_pair = find("response_A") ? "response_A" : "response_B";
        if (!find(of_pair)) return Mode::absolute;
        if (find("response"))
            fail(std::string("has response and ") + of_pair + ": one response or two, not both");
        return Mode::relative;
    }

    Rubric rubric(Mode mode, const ItemDefaults& defaults) const {
        const Json* field = find("rubric");
        if (!field && !defaults.rubric) fail("rubric is missing, and there is no default");
        if (!field) {
            check_default(mode, defaults);
            return *defaults.rubric;
        }
        Rubric rubric = rubric_from(*field);
        rubric.check_serves(mode, place_ + "rubric");
        return rubric;
    }

private:
    static void check_default(Mode mode, const ItemDefaults& defaults) {
        try {
            defaults.rubric->check_serves(mode, defaults.rubric_source);
        } catch (const std::runtime_error& error) {
            throw BadDefault(error.what());
        }
    }

    Rubric rubric_from(const Json& field) const {
        if (field.is_object()) return rubric_from_object(field);
        if (!field.is_string())
            fail("rubric: expected a string or an object, found " + describe(field));
        try {
            return rubric_from_string(field.get_ref<const std::string&>());
        } catch (const std::runtime_error& error) {
            fail(error.what());
        }
    }

    Rubric rubric_from_object(const Json& object) const {
        const Reader reader(object, place_ + "rubric: ");
        std::vector<RubricField> fields;
        for (const auto& [key, value] : object.items())
            fields.push_back(
                {key, reader.optional_string(key.c_str()).value_or(""), place_ + "rubric"});
        return make_rubric(fields, place_ + "rubric");
    }

    const Json& object_;
    std::string place_;
};

Item read_item(const Reader& reader, ItemId id, const ItemDefaults& defaults) {
    Item item;
    item.id = std::move(id);
    item.mode = reader.mode(defaults.mode);
    item.instruction = reader.string("instruction");
    if (item.instruction.empty()) reader.fail("instruction is empty");
    const bool pair = item.mode == Mode::relative;
    item.response = reader.string(pair ? "response_A" : "response");
    if (pair) item.response_b = reader.string("response_B");
    item.reference_answer = reader.optional_string("reference_answer");
    item.rubric = reader.rubric(item.mode, defaults);
    return without_empty_reference(std::move(item));
}

bool is_blank(std::string_view line) {
    return line.find_first_not_of(" \t\r\n\v\f") == std::string_view::npos;
}

}  // namespace

Item without_empty_reference(Item item) {
    if (item.reference_answer && item.reference_answer->empty()) item.reference_answer.reset();
    return item;
}

std::string item_hash(const Item& item) {
    Sha256 hash;
    // With its length, so that no text can pass for two.
    const auto add = [&](std::string_view field) {
        hash.add(std::to_string(field.size()) + ":");
        hash.add(field);
    };
    add(name(item.mode));
    add(item.instruction);
    add(item.response);
    add(item.response_b);
    add(item.reference_answer.value_or(""));
    add(item.rubric.block(item.mode));
    return hash.finish().substr(0, 16);
}

Item parse_item(std::string_view json_line, std::size_t line_number, const ItemDefaults& defaults) {
    const std::string place = "line " + std::to_string(line_number) + ": ";
    ItemId id{std::to_string(line_number), true};
    try {
        const Json object = Json::parse(json_line);
        const Reader reader(object, place);
        if (!object.is_object()) reader.fail("expected an object, found " + describe(object));
        if (auto own = reader.id()) id = *std::move(own);
        return read_item(reader, id, defaults);
    } catch (const Json::parse_error& error) {
        throw BadItem(id, place + parse_failure(error, json_line.size()));
    } catch (const Json::exception&) {  // nothing else is left to go wrong in a text that parses
        throw BadItem(id, place + "a number is too large");
    } catch (const BadDefault&) {
        throw;
    } catch (const std::runtime_error& error) {
        throw BadItem(id, error.what());
    }
}

ItemReader::ItemReader(std::istream& lines, ItemDefaults defaults)
    : lines_(lines), defaults_(std::move(defaults)) {}

std::optional<std::variant<Item, BadItem>> ItemReader::next() {
    constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
    std::string line;
    while (std::getline(lines_, line)) {
        ++line_number_;
        std::string_view text = line;
        if (line_number_ == 1 && text.starts_with(byte_order_mark))
            text.remove_prefix(byte_order_mark.size());
        if (is_blank(text)) continue;
        try {
            return parse_item(text, line_number_, defaults_);
        } catch (const BadItem& bad) {
            return bad;
        }
    }
    if (lines_.bad())
        throw std::runtime_error("reading failed after line " + std::to_string(line_number_));
    return std::nullopt;
}

}  // namespace assay
