#pragma once
#include <cstddef>
#include <istream>
#include <string>
#include <vector>

#include "grader/item.h"
#include "grader/ranking/schedule.h"

namespace assay {

// One of several responses to an instruction.
struct Contestant {
    std::string generator;  // who wrote it; empty: not known
    std::string response;
};

// An instruction with responses to be ranked.
struct Contest {
    Item question;  // a pair, but for its responses
    std::vector<Contestant> contestants;
};

constexpr std::size_t most_contestants = 1000;

// The pair to judge for a match: "ID/2-5" shows the judge the second response as A and the fifth as
// B; `exchanged`, "ID/5-2" the other way round.
Item comparison(const Contest& contest, Match match, bool exchanged);

// Contests with different ids, and what was wrong with other records.
struct Contests {
    std::vector<Contest> contests;
    std::vector<BadItem> bad;
};

// Reads the records of a file (see open_records; `name` is the file's). One with "responses", a
// list of strings or of {"response", "generator" or "name"}, is a contest; those with one
// "response" and "generator" are a contest of all that agree but for these two, by the id of the
// first. Fields are otherwise as item_from_json has them. Throws BadDefault, and an Error if the
// stream fails.
Contests read_contests(std::istream& stream, const std::string& name, const ItemDefaults& defaults);

}  // namespace assay
