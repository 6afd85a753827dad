#include "grader/datasets/open.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <stdexcept>
#include <unordered_map>
#include <utility>

#include "grader/datasets/records.h"
#include "runtime/error.h"

namespace assay {
namespace {

using Json = nlohmann::json;
using ItemOrBad = std::variant<Item, BadItem>;

constexpr std::size_t records_to_recognise = 10;

std::string field_names(const Json& record) {
    std::string names;
    for (const auto& [name, value] : record.items())
        names.append(names.empty() ? "" : ", ").append(name);
    constexpr std::size_t longest = 200;
    return names.size() > longest ? names.substr(0, longest) + "..." : names;
}

// The dataset that most of the records match; of equals the most specific.
const Dataset& most_matched(const std::deque<SourceRecord>& records, const TextInput& input) {
    const Dataset* best = nullptr;
    std::ptrdiff_t most = 0;
    const Json* unknown = nullptr;
    std::vector<const Dataset*> matched;
    for (const SourceRecord& record : records)
        if (const Json* object = std::get_if<Json>(&record.content); object && !object->empty()) {
            matched.push_back(recognise(*object));
            if (!matched.back()) unknown = object;
        }
    for (const Dataset& dataset : datasets())
        if (const auto votes = std::ranges::count(matched, &dataset); votes > most) {
            most = votes;
            best = &dataset;
        }
    if (best) return *best;
    if (!unknown || input.live()) return datasets().back();
    throw Error(input.name() + ": its records have " + field_names(*unknown) +
                ", which no known dataset has (" + dataset_list() +
                "); --map instruction=FIELD says what they are");
}

Answers read_answers(const std::string& path) {
    std::ifstream file = open_file(path);
    TextInput input(file, path, false);
    const auto records = open_records(input);
    Answers answers;
    while (auto record = records->next()) {
        const auto* problem = std::get_if<std::string>(&record->content);
        if (problem) throw Error(path + ": " + *problem);
        Json& answer = std::get<Json>(record->content);
        const auto id = answer.find("question_id");
        if (id == answer.end()) throw Error(path + ": " + record->place + "question_id is missing");
        answers[id->is_string() ? id->get<std::string>() : id->dump()].push_back(std::move(answer));
    }
    return answers;
}

// Single responses need no rubric before they are pairs.
const ItemDefaults of_single{.mode = {}, .rubric = Rubric{}};

// Responses to compare with, by their instruction, and what is wrong with records that are none.
struct Others {
    std::unordered_map<std::string, Item> items;
    std::vector<BadItem> bad;
};

Others read_others(const DatasetOptions& options) {
    DatasetOptions plain = options;
    plain.with.clear();
    plain.defaults = of_single;
    const auto items = open_dataset(options.with, plain);
    Others others;
    const auto add_bad = [&](const ItemId& id, const std::string& problem) {
        others.bad.emplace_back(id, options.with + ": " + problem);
    };
    while (auto next = items->next()) {
        if (const auto* bad = std::get_if<BadItem>(&*next)) {
            add_bad(bad->id, bad->what());
            continue;
        }
        Item& item = std::get<Item>(*next);
        if (item.mode == Mode::relative)
            throw Error(options.with + ": holds pairs, single responses are compared with");
        const ItemId id = item.id;
        if (!others.items.try_emplace(item.instruction, std::move(item)).second)
            add_bad(id, "item " + id.text + " answers the instruction of one before it");
    }
    return others;
}

class Items : public DatasetItems {
public:
    Items(std::istream& stream, const std::string& name, bool live, const DatasetOptions& options,
          std::optional<std::size_t> count)
        : options_(options), input_(stream, name, live), records_(open_records(input_)) {
        look_ahead();
        choose_dataset();
        if (!dataset_->several_items) count_ = count;
        if (options_.with.empty()) return;
        if (dataset_->needs_answers)
            answers_ = read_answers(options_.with);
        else
            others_ = read_others(options_);
        for (BadItem& bad : others_.bad) items_.emplace_back(std::move(bad));
        if (!others_.bad.empty()) count_.reset();
    }

    const Dataset& dataset() const override { return *dataset_; }
    std::optional<std::size_t> count() const override { return count_; }

    std::optional<ItemOrBad> next() override {
        while (items_.empty()) {
            auto record = next_record();
            if (!record) return std::nullopt;
            convert(*record);
        }
        ItemOrBad item = std::move(items_.front());
        items_.pop_front();
        return item;
    }

    bool at_hand() override { return !items_.empty() || !seen_.empty() || records_->at_hand(); }

private:
    void look_ahead() {
        const std::size_t wanted =
            options_.name.empty() && options_.map.empty() ? records_to_recognise : 0;
        while (seen_.size() < (input_.live() ? std::min<std::size_t>(wanted, 1) : wanted)) {
            auto record = records_->next();
            if (!record) break;
            seen_.push_back(*std::move(record));
        }
    }

    void choose_dataset() {
        if (!options_.name.empty())
            dataset_ = &dataset_named(options_.name);
        else if (!options_.map.empty())
            dataset_ = &datasets().back();
        else
            dataset_ = &most_matched(seen_, input_);
        if (dataset_->needs_answers && options_.with.empty())
            throw Error(input_.name() + ": holds questions (" + std::string(dataset_->name) +
                        "); --with names the file of the answers");
    }

    std::optional<SourceRecord> next_record() {
        if (seen_.empty()) return records_->next();
        SourceRecord record = std::move(seen_.front());
        seen_.pop_front();
        return record;
    }

    void convert(const SourceRecord& record) {
        const ItemId number{std::to_string(record.number), true};
        if (const auto* problem = std::get_if<std::string>(&record.content)) {
            items_.emplace_back(BadItem(number, *problem));
            return;
        }
        const Json& object = std::get<Json>(record.content);
        const JsonFields fields(object, record.place);
        std::vector<Json> natives;
        std::optional<BadItem> problem;
        try {
            dataset_->convert(
                {fields, record.number, options_.seed, has_default_rubric(), &answers_}, natives);
        } catch (const std::runtime_error& error) {
            problem = BadItem(id_of(object, number), error.what());
        } catch (const Json::exception&) {
            problem = BadItem(
                id_of(object, number),
                record.place + "a field is of another type than in " + std::string(dataset_->name));
        }
        for (std::size_t i = 0; i < natives.size(); ++i)
            add(fields, natives[i],
                natives.size() == 1 ? number
                                    : ItemId{number.text + "." + std::to_string(i + 1), false});
        if (problem) items_.emplace_back(*std::move(problem));
    }

    bool has_default_rubric() const {
        return options_.defaults.rubric && !options_.defaults.rubric->text.empty();
    }

    // What a record without items is called.
    static ItemId id_of(const Json& record, const ItemId& number) {
        const auto id = record.find("id");
        if (id == record.end()) return number;
        if (id->is_string()) return {id->get<std::string>(), false};
        return id->is_number_integer() ? ItemId{id->dump(), true} : number;
    }

    void add(const JsonFields& record, Json& native, const ItemId& id) {
        try {
            map_fields(record, options_.map, native);
            if (!options_.with.empty() && !dataset_->needs_answers)
                make_pair(native, record.place(), id);
            items_.emplace_back(item_from_json(native, record.place(), id, options_.defaults));
        } catch (const BadDefault&) {
            throw;
        } catch (const BadItem& bad) {
            items_.emplace_back(bad);
        } catch (const std::runtime_error& error) {
            items_.emplace_back(BadItem(id_of(record.object(), id), error.what()));
        }
    }

    // Of a single response and the one that the other file has.
    void make_pair(Json& native, const std::string& place, const ItemId& id) const {
        const Item single = item_from_json(native, place, id, of_single);
        if (single.mode == Mode::relative)
            throw BadItem(single.id, place + "is a pair, --with compares single responses");
        const auto other = others_.items.find(single.instruction);
        if (other == others_.items.end())
            throw BadItem(single.id, place + options_.with + " has no response to its instruction");
        for (const char* key : {"response", "generator", "label"}) native.erase(key);
        native["response_A"] = single.response;
        native["response_B"] = other->second.response;
        native["generator_A"] = single.generator;
        native["generator_B"] = other->second.generator;
    }

    DatasetOptions options_;
    TextInput input_;
    std::unique_ptr<RecordReader> records_;
    const Dataset* dataset_ = nullptr;
    std::deque<SourceRecord> seen_;  // which the dataset was recognised by
    std::deque<ItemOrBad> items_;    // of the record read last
    std::optional<std::size_t> count_;
    Answers answers_;
    Others others_;
};

// With the file it reads.
struct OpenFile {
    std::ifstream file;
};

class FileItems : OpenFile, public Items {
public:
    FileItems(std::ifstream opened, const std::string& path, const DatasetOptions& options,
              std::optional<std::size_t> count)
        : OpenFile{std::move(opened)},
          Items(file, path, !can_be_read_twice(path), options, count) {}
};

std::optional<std::size_t> count_records(const std::string& path) {
    if (!can_be_read_twice(path)) return std::nullopt;
    std::ifstream file = open_file(path);
    TextInput input(file, path, false);
    const auto records = open_records(input);
    std::size_t count = 0;
    while (records->skip()) ++count;
    return count;
}

// Throws BadDefault before anything is done with the items, as far as they can be read twice.
void check_defaults(const std::string& path, const DatasetOptions& options) {
    const auto& rubric = options.defaults.rubric;
    if (!rubric || !rubric->criteria_only || !can_be_read_twice(path)) return;
    FileItems items(open_file(path), path, options, std::nullopt);
    while (items.next()) continue;
}

}  // namespace

std::unique_ptr<DatasetItems> open_dataset(const std::string& path, const DatasetOptions& options) {
    if (path == "-")
        return std::make_unique<Items>(std::cin, "standard input", true, options, std::nullopt);
    std::ifstream file = open_file(path);
    check_defaults(path, options);
    return std::make_unique<FileItems>(std::move(file), path, options, count_records(path));
}

std::unique_ptr<DatasetItems> read_dataset(std::istream& stream, const std::string& name,
                                           const DatasetOptions& options) {
    return std::make_unique<Items>(stream, name, false, options, std::nullopt);
}

std::ifstream open_file(const std::string& path) {
    if (std::filesystem::is_directory(path)) throw Error(path + ": a directory, items are a file");
    std::ifstream file(path, std::ios::binary);
    if (!file) throw Error(path + ": " + std::strerror(errno));
    return file;
}

bool can_be_read_twice(const std::string& path) {
    return path != "-" && std::filesystem::is_regular_file(path);
}

}  // namespace assay
