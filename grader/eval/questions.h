#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "grader/eval/benchmarks.h"
#include "grader/item.h"
#include "grader/prompt.h"

namespace assay::eval {

// How a benchmark's records are put to a judge.
struct QuestionOptions {
    std::vector<Protocol> protocols;
    // By default as prometheus-eval's evaluation does, oversights included (see quirks());
    // repaired: as it seems to mean it.
    bool repaired = false;
    // a2r: how often a pair is scored at most, of which the first pair of unequal scores counts.
    std::uint32_t draws = 3;
};

// The better response of a pair by its label, and the other; of a tie A and B.
enum class Side { chosen, rejected };

bool is_tie(const Item& record);
bool chosen_is_a(const Item& record);

// What is asked of a record of the benchmark: its response or pair, or, in a2r, one of the
// responses.
Item question(const Benchmark& benchmark, const Item& record, Protocol protocol, bool repaired);
Item question(const Benchmark& benchmark, const Item& pair, Side side, std::uint32_t draw,
              bool repaired);

// Where a benchmark's questions differ from what was meant, one line each.
std::vector<std::string_view> quirks(const Benchmark& benchmark);

// The profile that shows questions as they are published: of paper-eval, a2r's prompts of a
// benchmark with a blank rubric lack the strip that the others get, and where the system text ends
// in a line break it stands before the user's. Valid for the program's life.
const Profile& profile_for(const Benchmark& benchmark, const Profile& profile, bool repaired);

// The questions of a run: of all records, then of pairs that the judge scores alike.
class Questions {
public:
    // What is passed must outlive this.
    Questions(const Benchmark& benchmark, std::span<const Item> records, QuestionOptions options);

    std::optional<Item> next();  // nothing: there is none until a further one is answered
    bool at_hand() const { return !waiting_.empty(); }
    std::size_t count() const { return count_; }  // of those known by now
    // What came of a question: a verdict, or 0 if it is unscored.
    void answered(const Item& question, char verdict);

private:
    // A pair in a2r.
    struct Scores {
        std::size_t record;
        std::uint32_t draw;
        Side side;
    };

    void add(Item question);
    void score(std::size_t record, std::uint32_t draw);

    const Benchmark& benchmark_;
    std::span<const Item> records_;
    QuestionOptions options_;
    std::deque<Item> waiting_;
    std::size_t count_ = 0;
    std::map<std::string, Scores> asked_;                                 // by id of the question
    std::map<std::size_t, std::array<std::optional<char>, 2>> verdicts_;  // by record; of one draw
};

}  // namespace assay::eval
