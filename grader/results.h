#pragma once
#include <cstddef>
#include <cstdint>
#include <istream>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "grader/facts.h"
#include "grader/label.h"
#include "grader/mode.h"
#include "grader/scale.h"

namespace assay {

// A record as a file of results has it.
struct Result {
    nlohmann::ordered_json json;    // an object
    std::size_t line = 0;           // of the file, from 1
    std::string id = {};            // its text; without one the line
    std::string item_hash = {};     // empty: not known
    std::optional<Mode> mode = {};  // unknown when the item was none
    RecordFacts facts = {};
    std::optional<Label> label = {};
    std::optional<Scale> scale = {};             // that an absolute grade is told on too
    std::string group = {};                      // empty: none
    std::vector<std::string> generators = {};    // of the response, or of A and of B; or none
    std::vector<std::uint64_t> characters = {};  // the same way
    std::vector<std::string> warnings = {};

    bool scored() const { return facts.scored(); }
    // The field at a dotted path such as "orders.ab.p_a"; nullptr: there is none, or it is null. A
    // field whose own name has dots is found too.
    const nlohmann::ordered_json* find(std::string_view path) const;
    std::optional<double> number(std::string_view path) const;  // nothing if it is no number
    std::string_view text(std::string_view path) const;         // empty if it is no string
};

// What one column of a table holds of a result.
using Cell = std::variant<std::monostate, double, std::string>;  // nothing, a number, a word

// The cell of a column, which is a dotted path. A truth value is 1 or 0, a list of numbers its
// mean, "label" the mean of its scores or what is preferred: "A", "B" or "tie". Throws an Error
// that names line and column if the field is something else.
Cell cell(const Result& result, std::string_view column);

// Finds the results of one file that are of the same items as those of another.
class SameItems {
public:
    explicit SameItems(std::span<const Result> results);  // which must outlive it

    // That with the id, where a number is no text: of several the one whose item has the same
    // content, else the first. nullptr: none.
    const Result* of(const Result& result) const;

private:
    std::unordered_map<std::string, std::vector<const Result*>> by_id_;
};

// Throws an Error that says what the file holds if none of its results has a verdict, or says why
// it has none: it was not written by a judge.
void require_verdicts(std::span<const Result> results, const std::string& name);

// The records of a JSONL file, "-" being standard input. Headers of journals are left out, and so
// is a last line that is still being written. Of several records with an id the last one counts, a
// scored one before an unscored one of the same item, unless one of the two warns of a duplicate
// id. Fields of what was not written by a judge may be anything. Throws an Error that names the
// file, the line and what is wrong with it.
std::vector<Result> read_results(const std::string& path);
std::vector<Result> read_results(std::istream& lines, const std::string& name);

}  // namespace assay
