// `assay rank`: comparisons by the demo judge, and the rankings that come of them.
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "tests/cli/program.h"
#include "tests/model/test_files.h"
#include "tests/support/golden.h"

namespace assay::test {
namespace {

using Json = nlohmann::json;

std::string model() { return data("demo-judge/tiny-judge-Q8_0.gguf"); }

std::string items(std::size_t count) {
    const std::vector<std::string> topics{"bread", "rain", "snow", "rust"};
    std::string lines;
    for (std::size_t i = 0; i < count; ++i) {
        const std::string& topic = topics[i % topics.size()];
        lines += Json{{"id", "item" + std::to_string(i)},
                      {"instruction", "Why is there " + topic + std::to_string(i) + "?"},
                      {"rubric", {{"criteria", "Is the answer complete and correct?"}}},
                      {"responses",
                       {{{"generator", "curt"}, {"response", "Because."}},
                        {{"generator", "careful"},
                         {"response", "Because of " + topic +
                                          " and what it is made of. It takes "
                                          "time, and warm air makes it faster."}},
                        {{"generator", "refuser"},
                         {"response", "Sorry, I cannot help you with this request."}},
                        {{"generator", "babbler"}, {"response", "Drim lopsa wenk tuvo."}}}}}
                     .dump() +
                 "\n";
    }
    return lines;
}

std::vector<std::string> rank(const std::filesystem::path& input,
                              const std::filesystem::path& output,
                              const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments{"rank", "--model", model(),          "-i",    input,
                                       "-o",   output,    "--verdict-only", "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
}

std::vector<Json> records(const std::filesystem::path& path) {
    std::vector<Json> all;
    for (const std::string& line : lines(read_file(path)))
        if (Json record = Json::parse(line); record.contains("id")) all.push_back(record);
    return all;
}

TEST(Rank, RoundRobinRanksResponsesAndGenerators) {
    const TemporaryFolder folder;
    const auto input = folder.write("items.jsonl", items(3)),
               output = folder.path() / "pairs.jsonl", best = folder.path() / "best.jsonl";
    const Ran ran = run_assay(rank(input, output, {"--best", best, "--seed", "7"}));
    ASSERT_EQ(ran.exit_code, 0) << ran.errors;
    const Json ranking = Json::parse(ran.output);
    EXPECT_EQ(ranking["comparisons"], 18);
    ASSERT_EQ(ranking["items"].size(), 3u);
    for (const Json& item : ranking["items"]) {
        ASSERT_EQ(item["ranking"].size(), 4u);
        double wins = 0;
        for (const Json& place : item["ranking"]) {
            EXPECT_EQ(place["comparisons"], 3);
            wins += place["wins"].get<double>();
        }
        EXPECT_NEAR(wins, 6, 1e-9);
        EXPECT_EQ(item["triples"], 4);
    }
    ASSERT_EQ(ranking["generators"].size(), 4u);
    EXPECT_EQ(ranking["generators"][0]["comparisons"], 9);

    const auto pairs = records(output);
    ASSERT_EQ(pairs.size(), 18u);
    for (const Json& pair : pairs) EXPECT_TRUE(pair.contains("orders")) << "both by default";
    const auto best_lines = records(best);
    ASSERT_EQ(best_lines.size(), 3u);
    EXPECT_EQ(best_lines[0]["generator"], ranking["items"][0]["ranking"][0]["generator"]);

    // The same without a judge, also its seed, and for people.
    const Ran again = run_assay({"rank", "-i", input, "--records", output, "--json"});
    EXPECT_EQ(again.exit_code, 0) << again.errors;
    EXPECT_EQ(again.output, ran.output);
    const Ran text = run_assay({"rank", "-i", input, "--records", output});
    EXPECT_NE(text.output.find("item0: 4 responses, 6 comparisons"), std::string::npos)
        << text.output;
    EXPECT_NE(text.output.find("generator"), std::string::npos) << text.output;
}

TEST(Rank, SwissIsTakenUpAfterAKill) {
    const TemporaryFolder folder;
    const auto input = folder.write("items.jsonl", items(16)),
               whole = folder.path() / "whole.jsonl", killed = folder.path() / "killed.jsonl";
    const std::vector<std::string> swiss{"--schedule", "swiss", "--rounds",         "2",
                                         "--orders",   "ab",    "--batch-invariant"};
    const Ran uninterrupted = run_assay(rank(input, whole, swiss));
    ASSERT_EQ(uninterrupted.exit_code, 0) << uninterrupted.errors;
    ASSERT_EQ(records(whole).size(), 16u * 2 * 2);
    {
        Running run(rank(input, killed, swiss));
        const auto written = [&] {
            return std::filesystem::exists(killed) ? lines(read_file(killed)).size() : 0;
        };
        for (int i = 0; i < 6000 && written() < 10; ++i)
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        run.kill();
        EXPECT_GE(written(), 10u);
        EXPECT_LT(written(), 65u) << "killed too late to see anything";
    }
    const Ran rest = run_assay(rank(input, killed, swiss));
    EXPECT_EQ(rest.exit_code, 0) << rest.errors;
    EXPECT_NE(rest.errors.find("before this run"), std::string::npos) << rest.errors;
    std::set<std::string> ids, expected;
    for (const Json& record : records(killed)) EXPECT_TRUE(ids.insert(record["id"]).second);
    for (const Json& record : records(whole)) expected.insert(record["id"]);
    EXPECT_EQ(ids, expected) << "who meets whom depends on what was said before";
    EXPECT_EQ(rest.output, uninterrupted.output);

    // More rounds go on from those that were played.
    const Ran more = run_assay(
        rank(input, whole,
             {"--schedule", "swiss", "--rounds", "3", "--orders", "ab", "--batch-invariant"}));
    EXPECT_EQ(more.exit_code, 0) << more.errors;
    EXPECT_EQ(records(whole).size(), 16u * 2 * 3);
}

TEST(Rank, RanksNothingThatNoRecordIsOf) {
    const TemporaryFolder folder;
    const auto one = folder.write("one.jsonl", items(1)), two = folder.write("two.jsonl", items(2)),
               output = folder.path() / "pairs.jsonl";
    ASSERT_EQ(run_assay(rank(one, output)).exit_code, 0);
    const Ran half = run_assay({"rank", "-i", two, "--records", output, "--json"});
    EXPECT_EQ(half.exit_code, 3);
    EXPECT_NE(half.errors.find("item1: no comparison"), std::string::npos) << half.errors;
    const Json ranking = Json::parse(half.output);
    EXPECT_EQ(ranking["items"][0]["ranking"].size(), 4u);
    EXPECT_EQ(ranking["items"][1]["ranking"], Json::array());

    std::string changed = items(2);
    for (std::size_t at; (at = changed.find("Why is")) != changed.npos;)
        changed.replace(at, 3, "Whence");
    const auto other = folder.write("other.jsonl", changed);
    const Ran none = run_assay({"rank", "-i", other, "--records", output});
    EXPECT_EQ(none.exit_code, 1);
    EXPECT_EQ(none.output, "");
    EXPECT_NE(none.errors.find("no comparison of any of the 2 items"), std::string::npos)
        << none.errors;
    // A header that no run wrote.
    const auto odd = folder.write("odd.jsonl", R"({"assay":{"journal":1,"seed":"x"}})"
                                               "\n");
    const Ran wrong = run_assay({"rank", "-i", one, "--records", odd});
    EXPECT_EQ(wrong.exit_code, 1);
    EXPECT_NE(wrong.errors.find("line 1: seed is \"x\""), std::string::npos) << wrong.errors;
}

TEST(Rank, TellsWhatIsWrong) {
    const TemporaryFolder folder;
    const auto input = folder.write(
                   "items.jsonl",
                   R"({"instruction": "?", "rubric": "helpfulness", "responses": ["x"]})"
                   "\n" +
                       items(1)),
               output = folder.path() / "pairs.jsonl";
    const Ran ran = run_assay(rank(input, output));
    EXPECT_EQ(ran.exit_code, 3) << ran.errors;
    EXPECT_EQ(Json::parse(ran.output)["comparisons"], 6);
    EXPECT_EQ(records(output)[0]["reason"], "invalid_item");
    const Ran again = run_assay({"rank", "-i", input, "--records", output});
    EXPECT_EQ(again.exit_code, 3);
    EXPECT_NE(again.errors.find("line 1: responses: 1 found"), std::string::npos) << again.errors;
}

}  // namespace
}  // namespace assay::test
