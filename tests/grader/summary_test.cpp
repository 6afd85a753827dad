#include "grader/summary.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace assay {
namespace {

const RecordFacts four{.verdict = '4',
                       .expected_score = 4.1,
                       .prompt_tokens = 100,
                       .cached_tokens = 25,
                       .generated_tokens = 20},
    forced{.verdict = '2', .forced = true, .expected_score = 2.0, .prompt_tokens = 100},
    pair{.verdict = 'A', .consistent = true}, swayed{.verdict = 'B', .consistent = false},
    unscored{};

TEST(Summary, CountsAllItemsAndWhatThisRunTook) {
    Summary summary;
    for (const RecordFacts& facts : {four, forced, pair, unscored}) summary.add(facts);
    for (const RecordFacts& facts : {four, swayed}) summary.add_before(facts);
    EXPECT_EQ(summary.items(), 6u);
    EXPECT_EQ(summary.items_before(), 2u);
    EXPECT_EQ(summary.unscored(), 1u);
    const RunFigures run{.seconds = 6, .joules = 90, .energy_source = "NVML"};
    EXPECT_EQ(summary.text(run),
              "graded 5, unscored 1, forced 1 (2 of them before this run)\n"
              "verdicts 2: 1, 4: 2, A: 1, B: 1; 1 of 2 pairs the same in both orders\n"
              "6.00 s: 0.67 items/s, 33.3 + 3.33 tokens/s read and written (12 % of the read "
              "ones from the cache), 2.00 s "
              "and 30.0 J (NVML) per verdict");
    const auto json = summary.json(run);
    EXPECT_EQ(json["items"]["graded"], 5);
    EXPECT_EQ(json["verdicts"]["4"], 2);
    EXPECT_EQ(json["pairs_in_both_orders"]["consistent"], 1);
    EXPECT_EQ(json["this_run"]["prompt_tokens"], 200);
    EXPECT_EQ(json["this_run"]["cache_hit_rate"], 0.125);
    EXPECT_EQ(json["this_run"]["seconds_per_verdict"], 2);
    EXPECT_EQ(json["this_run"]["joules_per_verdict"], 30);
}

TEST(Summary, SaysNothingOfARunThatHadNothingToDo) {
    Summary summary;
    summary.add_before(four);
    EXPECT_EQ(summary.text({}),
              "graded 1, unscored 0, forced 0 (1 of them before this run)\nverdicts 4: 1");
    const auto json = summary.json({});
    EXPECT_EQ(json["this_run"]["items_per_second"], 0);
    EXPECT_TRUE(json["this_run"]["seconds_per_verdict"].is_null());
    EXPECT_TRUE(json["this_run"]["joules"].is_null());
}

TEST(Summary, CountsWhatTheJudgeDidNotSeeOrWasNotTrainedOn) {
    Summary summary;
    for (const bool truncated : {true, true, false})
        summary.add_before(
            {.verdict = '4', .truncated = truncated, .longer_than_trained = !truncated});
    EXPECT_EQ(summary.text({}),
              "graded 3, unscored 0, forced 0 (3 of them before this run)\nverdicts 4: 3\n"
              "2 truncated: the judge did not see all of them (\"truncated\" in their records)\n"
              "1 with prompts of more than 4096 tokens, which judges are not trained on");
    EXPECT_EQ(summary.json({})["items"]["truncated"], 2);
    EXPECT_EQ(summary.json({})["items"]["longer_than_trained"], 1);
}

TEST(Summary, TellsWhatTheSchedulerDid) {
    Summary summary;
    summary.add(unscored);
    EXPECT_EQ(
        summary.text({.seconds = 1, .preemptions = 3, .guessed_tokens = 8, .accepted_tokens = 6}),
        "graded 0, unscored 1, forced 0\n"
        "1.00 s: 1.00 items/s, 0.00 + 0.00 tokens/s read and written (0 % of the read "
        "ones from the cache)\n"
        "3 times a text gave its memory to others and was read again\n"
        "75 % of the guessed tokens were right");
}

}  // namespace
}  // namespace assay
