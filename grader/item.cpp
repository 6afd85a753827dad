#include "grader/item.h"

#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "grader/dialogue.h"
#include "grader/json_fields.h"
#include "runtime/sha256.h"

namespace assay {
namespace {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;

constexpr const char* passage_break = "\n\n";

// An item's object.
class Reader : public JsonFields {
public:
    using JsonFields::JsonFields;

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
        rubric.check_serves(mode, place() + "rubric");
        return rubric;
    }

    std::string instruction() const {
        const Json* messages = find("messages");
        if (messages && find("instruction"))
            fail("has instruction and messages: one of them, not both");
        std::string text = messages ? dialogue_text(parse_messages(*messages, place() + "messages"))
                                    : string("instruction");
        if (text.empty()) fail("instruction is empty");
        return text;
    }

    std::string context() const {
        const Json* field = find("context");
        if (!field || !field->is_array()) return optional_string("context").value_or("");
        std::string text;
        for (const Json& passage : *field) {
            if (!passage.is_string()) fail("context: expected strings, found " + describe(passage));
            text.append(text.empty() ? "" : passage_break).append(passage.get<std::string>());
        }
        return text;
    }

    // Groups are often numbered.
    std::optional<std::string> group() const {
        const Json* field = find("group");
        return field && field->is_number() ? field->dump() : optional_string("group");
    }

    std::optional<Label> label(Mode mode) const {
        const Json* field = find("label");
        if (!field) return std::nullopt;
        return parse_label(*field, mode, place() + "label");
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
        const JsonFields reader(object, place() + "rubric: ");
        std::vector<RubricField> fields;
        for (const auto& [key, value] : object.items())
            fields.push_back({key, reader.optional_string(key).value_or(""), place() + "rubric"});
        return make_rubric(fields, place() + "rubric");
    }
};

Item read_item(const Reader& reader, ItemId id, const ItemDefaults& defaults) {
    Item item;
    item.id = std::move(id);
    item.mode = reader.mode(defaults.mode);
    item.instruction = reader.instruction();
    const bool pair = item.mode == Mode::relative;
    item.response = reader.string(pair ? "response_A" : "response");
    if (pair) item.response_b = reader.string("response_B");
    item.reference_answer = reader.optional_string("reference_answer");
    item.rubric = reader.rubric(item.mode, defaults);
    item.context = reader.context();
    item.label = reader.label(item.mode);
    item.group = reader.group();
    item.generator = reader.optional_string(pair ? "generator_A" : "generator").value_or("");
    if (pair) item.generator_b = reader.optional_string("generator_B").value_or("");
    return without_empty_reference(std::move(item));
}

OrderedJson to_json(const Rubric& rubric) {
    if (!rubric.criteria_only) return rubric.text;
    return {{"criteria", rubric.text.substr(1, rubric.text.size() - 2)}};  // without its brackets
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
    if (!item.context.empty()) add(item.context);
    return hash.finish().substr(0, 16);
}

Item item_from_json(const Json& object, const std::string& place, ItemId id,
                    const ItemDefaults& defaults) {
    try {
        const Reader reader(object, place);
        if (!object.is_object()) reader.fail("expected an object, found " + describe(object));
        if (auto own = reader.id()) id = *std::move(own);
        return read_item(reader, id, defaults);
    } catch (const BadDefault&) {
        throw;
    } catch (const std::runtime_error& error) {
        throw BadItem(id, error.what());
    }
}

OrderedJson to_json(const ItemId& id) {
    // An integer beyond 64 bits is not one that parse_item takes, so this one fits.
    return id.is_number ? OrderedJson::parse(id.text) : OrderedJson(id.text);
}

OrderedJson to_json(const Item& item) {
    const bool pair = item.mode == Mode::relative;
    OrderedJson json{{"id", to_json(item.id)}, {"instruction", item.instruction}};
    if (!item.context.empty()) json["context"] = item.context;
    json[pair ? "response_A" : "response"] = item.response;
    if (pair) json["response_B"] = item.response_b;
    if (item.reference_answer) json["reference_answer"] = *item.reference_answer;
    if (!item.rubric.text.empty()) json["rubric"] = to_json(item.rubric);
    if (item.label) json["label"] = to_json(*item.label);
    if (item.group) json["group"] = *item.group;
    if (!item.generator.empty()) json[pair ? "generator_A" : "generator"] = item.generator;
    if (!item.generator_b.empty()) json["generator_B"] = item.generator_b;
    return json;
}

Item parse_item(std::string_view json_line, std::size_t line_number, const ItemDefaults& defaults) {
    const std::string place = "line " + std::to_string(line_number) + ": ";
    ItemId id{std::to_string(line_number), true};
    Json object;
    try {
        object = Json::parse(json_line);
    } catch (const Json::parse_error& error) {
        throw BadItem(id, place + parse_failure(error, json_line.size()));
    } catch (const Json::exception&) {  // nothing else can go wrong in a text that parses
        throw BadItem(id, place + "a number is too large");
    }
    return item_from_json(object, place, std::move(id), defaults);
}

ItemReader::ItemReader(std::istream& lines, ItemDefaults defaults)
    : lines_(lines, "items", false), defaults_(std::move(defaults)) {}

std::optional<std::variant<Item, BadItem>> ItemReader::next() {
    const auto line = lines_.next_line();
    if (!line) return std::nullopt;
    try {
        return parse_item(*line, lines_.line(), defaults_);
    } catch (const BadItem& bad) {
        return bad;
    }
}

}  // namespace assay
