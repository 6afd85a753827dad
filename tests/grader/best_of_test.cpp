#include "grader/best_of.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

namespace assay {
namespace {

Item item(const std::string& id, const std::string& instruction) {
    Item item;
    item.id = {id, false};
    item.instruction = instruction;
    item.response = "response " + id;
    return item;
}

RecordFacts scored(double expected) { return {.verdict = '3', .expected_score = expected}; }

TEST(BestOf, IsTheGreatestExpectedScoreAndOfEqualsTheFirst) {
    BestOf best;
    // In the order in which they were done, which is not theirs.
    best.add(item("d", "second"), 3, scored(4.5));
    best.add(item("c", "first"), 2, scored(4.25));
    best.add(item("a", "first"), 0, scored(3));
    best.add(item("b", "first"), 1, scored(4.25));
    best.add(item("e", "first"), 4, {});
    best.add(item("f", "third"), 5, {});
    const auto lines = best.lines();
    ASSERT_EQ(lines.size(), 2u);
    EXPECT_EQ(lines[0].dump(),
              R"({"instruction":"first","id":"b","response":"response b","expected_score":4.25,)"
              R"("of":3})");
    EXPECT_EQ(lines[1]["id"], "d");
    EXPECT_EQ(lines[1]["of"], 1);
}

TEST(BestOf, LeavesPairsOut) {
    Item pair = item("a", "first");
    pair.mode = Mode::relative;
    BestOf best;
    best.add(pair, 0, {.verdict = 'A'});
    EXPECT_TRUE(best.lines().empty());
    EXPECT_EQ(best.pairs(), 1u);
}

}  // namespace
}  // namespace assay
