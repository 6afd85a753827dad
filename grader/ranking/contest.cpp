#include "grader/ranking/contest.h"

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "grader/datasets/records.h"
#include "grader/json_fields.h"
#include "grader/text_input.h"

namespace assay {
namespace {

using Json = nlohmann::json;

std::string generator_of(const JsonFields& fields) {
    if (auto generator = fields.optional_string("generator")) return *std::move(generator);
    return fields.optional_string("name").value_or("");
}

Contestant contestant(const Json& entry, const std::string& place) {
    if (entry.is_string()) return {"", entry.get<std::string>()};
    const JsonFields fields(entry, place);
    if (!entry.is_object()) fields.fail("expected a string or an object, found " + describe(entry));
    return {generator_of(fields), fields.string("response")};
}

std::vector<Contestant> contestants_of(const Json& list, const std::string& place) {
    const auto fail = [&](const std::string& what) { throw std::runtime_error(place + what); };
    if (!list.is_array()) fail("expected a list, found " + describe(list));
    if (list.size() < 2 || list.size() > most_contestants)
        fail(std::to_string(list.size()) + " found, 2 to " + std::to_string(most_contestants) +
             " expected");
    std::vector<Contestant> contestants;
    for (const Json& entry : list)
        contestants.push_back(
            contestant(entry, place + std::to_string(contestants.size() + 1) + ": "));
    return contestants;
}

// What a record says but for its responses, as a pair without any.
Item question_of(Json object, const std::string& place, ItemId id, ItemDefaults defaults) {
    for (const char* field : {"label", "generator_A", "generator_B"}) object.erase(field);
    object["response_A"] = object["response_B"] = "";
    defaults.mode = Mode::relative;
    return item_from_json(object, place, std::move(id), defaults);
}

// Puts records together to contests.
class Reader {
public:
    explicit Reader(const ItemDefaults& defaults) : defaults_(defaults) {}

    void read(const Json& object, const std::string& place, ItemId id) {
        Item question = question_of(object, place, std::move(id), defaults_);
        const bool whole = JsonFields(object, place).find("responses") != nullptr;
        std::vector<Contestant> contestants;
        try {
            contestants = whole ? contestants_of(object["responses"], place + "responses: ")
                                : std::vector{contestant(object, place)};
        } catch (const std::runtime_error& error) {
            throw BadItem(question.id, error.what());
        }
        if (whole)
            begin(std::move(question), std::move(contestants), place);
        else
            join(std::move(question), std::move(contestants.front()), place);
    }

    // Contests that there is something to rank in, and the rest among what is bad.
    Contests finish(std::vector<BadItem> bad) && {
        Contests all{{}, std::move(bad)};
        for (auto& [contest, place] : begun_)
            if (contest.contestants.size() > 1)
                all.contests.push_back(std::move(contest));
            else
                all.bad.emplace_back(contest.question.id,
                                     place + "the only response to its instruction");
        return all;
    }

private:
    struct Begun {
        Contest contest;
        std::string place;  // of its first record
    };

    void begin(Item question, std::vector<Contestant> contestants, const std::string& place) {
        if (!ids_.insert(question.id.text).second)
            throw BadItem(question.id, place + "id " + question.id.text + " is there before");
        begun_.push_back({{std::move(question), std::move(contestants)}, place});
    }

    void join(Item question, Contestant one, const std::string& place) {
        const std::string hash = item_hash(question);
        const auto known = by_question_.find(hash);
        if (known == by_question_.end()) {
            begin(std::move(question), {std::move(one)}, place);
            by_question_.emplace(hash, begun_.size() - 1);
            return;
        }
        auto& contestants = begun_[known->second].contest.contestants;
        if (contestants.size() == most_contestants)
            throw BadItem(question.id, place + "more than " + std::to_string(most_contestants) +
                                           " responses to its instruction");
        contestants.push_back(std::move(one));
    }

    const ItemDefaults& defaults_;
    std::vector<Begun> begun_;
    std::map<std::string, std::size_t> by_question_;  // of items with one response: item_hash
    std::set<std::string> ids_;
};

}  // namespace

Item comparison(const Contest& contest, Match match, bool exchanged) {
    auto [a, b] = match;
    if (exchanged) std::swap(a, b);
    Item item = contest.question;
    item.id = {item.id.text + "/" + std::to_string(a + 1) + "-" + std::to_string(b + 1)};
    item.response = contest.contestants[a].response;
    item.response_b = contest.contestants[b].response;
    item.generator = contest.contestants[a].generator;
    item.generator_b = contest.contestants[b].generator;
    return item;
}

Contests read_contests(std::istream& stream, const std::string& name,
                       const ItemDefaults& defaults) {
    TextInput input(stream, name, false);
    const auto records = open_records(input);
    Reader reader(defaults);
    std::vector<BadItem> bad;
    while (const auto record = records->next()) {
        const ItemId id{std::to_string(record->number), true};
        try {
            if (const auto* problem = std::get_if<std::string>(&record->content))
                throw BadItem(id, *problem);
            reader.read(std::get<Json>(record->content), record->place, id);
        } catch (const BadItem& item) {
            bad.push_back(item);
        }
    }
    return std::move(reader).finish(std::move(bad));
}

}  // namespace assay
