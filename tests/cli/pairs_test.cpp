#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/cli/program.h"
#include "tests/model/test_files.h"

namespace assay::test {
namespace {

using Json = nlohmann::ordered_json;

std::string model() { return data("demo-judge/tiny-judge-Q8_0.gguf").string(); }

// `instructions` with three responses each: good, fair and poor, scored 5, 3 and 1.
std::string items(int instructions) {
    std::string lines;
    for (int i = 0; i < instructions; ++i) {
        const std::string topic =
            std::vector<std::string>{"rain", "tides", "bread"}.at(static_cast<std::size_t>(i % 3));
        const std::string full = "First, " + topic + " needs water. Then it needs time.";
        for (const auto& [name, score, text] :
             {std::tuple("good", 5, full), std::tuple("fair", 3, "First, " + topic + " is."),
              std::tuple("poor", 1, std::string("Drim lopsa wenk tuvo."))})
            lines += Json{{"id", std::to_string(i) + name},
                          {"instruction", "Tell me about " + topic + " " + std::to_string(i)},
                          {"response", text},
                          {"reference_answer", full},
                          {"rubric", "factual_validity"},
                          {"label", {{"human", score}}},
                          {"group", topic},
                          {"generator", name}}
                         .dump() +
                     "\n";
    }
    return lines;
}

std::vector<Json> objects(const std::string& text) {
    std::vector<Json> all;
    for (const std::string& line : lines(text)) all.push_back(Json::parse(line));
    return all;
}

TEST(Pairs, AreImportedAgainAndGraded) {
    const TemporaryFolder folder;
    const std::string from = folder.write("scored.jsonl", items(2)),
                      native = folder.path() / "pairs.jsonl",
                      collection = folder.path() / "collection.jsonl";
    const Ran ran = run_assay({"pairs", from, "-o", native, "--json"});
    ASSERT_EQ(ran.exit_code, 0) << ran.errors;
    EXPECT_EQ(lines(ran.errors).front(),
              from + ": 6 pairs (" +
                  std::to_string(Json::parse(ran.output)["prefer_a"].get<int>()) + " prefer A, " +
                  std::to_string(Json::parse(ran.output)["prefer_b"].get<int>()) +
                  " B) of 6 responses to 2 instructions");
    const auto pairs = objects(read_file(native));
    ASSERT_EQ(pairs.size(), 6u);
    for (const Json& pair : pairs) {
        EXPECT_EQ(pair["label"], pair["scores"][0] > pair["scores"][1] ? "A" : "B");
        EXPECT_EQ(pair["id"].get<std::string>(), pair["id"].get<std::string>().substr(0, 1) +
                                                     pair["generator_A"].get<std::string>() + "+" +
                                                     pair["id"].get<std::string>().substr(0, 1) +
                                                     pair["generator_B"].get<std::string>());
        EXPECT_FALSE(pair["group"].is_null());
    }
    EXPECT_EQ(run_assay({"pairs", from, "-o", native}).exit_code, 1);  // it is there already

    const Ran imported = run_assay({"import", native, "-q"});
    ASSERT_EQ(imported.exit_code, 0) << imported.errors;
    for (std::size_t i = 0; i < 6; ++i) {
        Json item = pairs[i];
        item.erase("scores");
        EXPECT_EQ(objects(imported.output).at(i), item);
    }
    ASSERT_EQ(
        run_assay({"pairs", from, "-o", collection, "--format", "preference-collection", "-q"})
            .exit_code,
        0);
    const Ran of_collection = run_assay({"import", collection});
    EXPECT_NE(of_collection.errors.find("6 items of preference-collection"), std::string::npos)
        << of_collection.errors;
    const auto items_again = objects(of_collection.output);
    for (std::size_t i = 0; i < 6; ++i)
        for (const char* field :
             {"instruction", "response_A", "response_B", "reference_answer", "label"})
            EXPECT_EQ(items_again.at(i)[field], pairs[i][field]) << field;
    const Ran graded = run_assay(
        {"grade", "--model", model(), "-i", collection, "--verdict-only", "--orders", "ab", "-q"});
    EXPECT_EQ(graded.exit_code, 0) << graded.errors;
    const auto records = objects(graded.output);
    ASSERT_EQ(records.size(), 6u);
    for (const Json& record : records) EXPECT_TRUE(record["label"].is_string());
}

TEST(Pairs, ComeFromRecordsToo) {
    const TemporaryFolder folder;
    const std::string from = folder.write("scored.jsonl", items(1));
    const std::string records = folder.write(
        "records.jsonl", R"({"assay": {"journal": 1}})"
                         "\n"
                         R"({"id": "0good", "mode": "absolute", "score": 5, "expected_score": 4.5})"
                         "\n"
                         R"({"id": "0fair", "mode": "absolute", "score": 3, "expected_score": 3.4})"
                         "\n"
                         R"({"id": "0poor", "mode": "absolute", "score": 3, "expected_score": 3})");
    const Ran by_score = run_assay({"pairs", records, "--items", from});
    EXPECT_EQ(objects(by_score.output).size(), 2u) << by_score.errors;
    EXPECT_TRUE(by_score.errors.ends_with("left out: 1 ties\n")) << by_score.errors;
    const std::vector<std::string> by_expected{"pairs",   records,          "--items",   from,
                                               "--score", "expected_score", "--min-gap", "0.5"};
    EXPECT_EQ(objects(run_assay(by_expected).output).size(), 2u);
    EXPECT_EQ(
        objects(run_assay({"pairs", records, "--items", from, "--ties", "keep"}).output).size(),
        3u);

    const Ran without = run_assay({"pairs", records});
    EXPECT_EQ(without.exit_code, 1);
    EXPECT_EQ(without.errors, "assay: " + records +
                                  ": records of `assay grade`: --items names the file of the items "
                                  "they were made of\n");
    const Ran exchanged = run_assay({"pairs", from, "--items", from});
    EXPECT_EQ(exchanged.exit_code, 1);
    EXPECT_EQ(exchanged.errors,
              "assay: " + from + ": 3 items (native), not records: grade them first\n");
}

TEST(Pairs, SayWhatIsWrong) {
    const TemporaryFolder folder;
    const std::string from = folder.write("scored.jsonl", items(1) + R"({"instruction": "i"})");
    const Ran bad = run_assay({"pairs", from, "-q"});
    EXPECT_EQ(bad.exit_code, 3);
    EXPECT_EQ(bad.errors, "assay: line 4: response is missing\n");
    EXPECT_EQ(objects(bad.output).size(), 3u);
    const std::string alone = folder.write("alone.jsonl", lines(items(1)).front());
    const Ran none = run_assay({"pairs", alone});
    EXPECT_EQ(none.exit_code, 1);
    EXPECT_EQ(none.errors, "assay: no pairs: " + alone +
                               ": 0 pairs (0 prefer A, 0 B) of 1 responses to 1 instructions\n");
}

TEST(Pairs, HaveTheJudgesFeedbackWhereItAgrees) {
    const TemporaryFolder folder;
    const std::string from = folder.write("scored.jsonl", items(1)),
                      to = folder.path() / "pairs.jsonl", all = folder.path() / "all.jsonl",
                      records = folder.path() / "pairs.records.jsonl";
    std::vector<std::string> command{
        "pairs", from, "--feedback", "--model", model(), "--format", "preference-collection",
        "-o",    to,   "--json"};
    const Ran ran = run_assay(command);
    ASSERT_EQ(ran.exit_code, 0) << ran.errors;
    const Json said = Json::parse(ran.output);
    EXPECT_EQ(said["judge"]["agrees"].get<int>() + said["judge"]["disagrees"].get<int>(), 3);
    EXPECT_GT(said["judge"]["agrees"], 0);
    const auto pairs = objects(read_file(to));
    EXPECT_EQ(said["pairs"], pairs.size());
    EXPECT_LE(pairs.size(), said["judge"]["agrees"]);
    for (const Json& pair : pairs) {
        const std::string feedback = pair["orig_feedback"], preferred = pair["orig_preference"];
        EXPECT_FALSE(feedback.empty());
        EXPECT_EQ(pair["output"], feedback + " [RESULT] " + preferred);
    }
    // The same again judges nothing anew and writes the same.
    const std::string first = read_file(to);
    const std::string graded = read_file(records);
    const Ran again = run_assay(command);
    EXPECT_EQ(again.exit_code, 0) << again.errors;
    EXPECT_EQ(again.output, ran.output);
    EXPECT_EQ(read_file(to), first);
    EXPECT_EQ(read_file(records), graded);
    // With what the judge says of the others.
    const Ran kept = run_assay({"pairs", from, "--feedback", "--model", model(), "--records",
                                records, "--keep-disagreeing", "-o", all, "--json"});
    EXPECT_EQ(kept.exit_code, 0) << kept.errors;
    std::size_t stated = 0;
    for (const Json& pair : objects(read_file(all)))
        stated += pair["judge"]["verdict"] == pair["label"];
    EXPECT_GE(stated, pairs.size());
    EXPECT_EQ(objects(read_file(all)).size(),
              3 - Json::parse(kept.output)["judge"]["without_stated_verdict"].get<std::size_t>());
}

}  // namespace
}  // namespace assay::test
