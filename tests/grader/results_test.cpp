#include "grader/results.h"

#include <gtest/gtest.h>

#include <sstream>

#include "runtime/error.h"

namespace assay {
namespace {

std::vector<Result> results_of(const std::string& text) {
    std::istringstream lines(text);
    return read_results(lines, "some.jsonl");
}

std::vector<std::string> hashes_of(const std::string& text) {
    std::vector<std::string> hashes;
    for (const Result& result : results_of(text))
        hashes.push_back(result.json.value("item_hash", "none") + (result.scored() ? "" : "-"));
    return hashes;
}

TEST(Results, ReadsWhatARecordSays) {
    const auto results = results_of(
        R"({"assay":{"journal":1,"seed":0}})"
        "\n\n"
        R"({"id":7,"item_hash":"x","mode":"absolute","score":4,"expected_score":3.5,"parse":"forced",)"
        R"("label":{"gpt4":[4,5],"human":3},"group":"math","generator":"m","characters":12,"warnings":["no_reference"]})"
        "\n"
        R"({"id":"p","mode":"relative","verdict":"B","p_a":0.2,"consistent":false,"label":"tie",)"
        R"("generator_A":"m","generator_B":"n","characters":[3,40],"orders":{"ab":{"p_a":0.1}}})"
        "\n"
        R"({"score":null,"reason":"invalid_item","error":"line 3: no item"})");
    ASSERT_EQ(results.size(), 3u);
    const Result &absolute = results[0], &pair = results[1], &unscored = results[2];
    EXPECT_EQ(absolute.id, "7");
    EXPECT_EQ(absolute.line, 3u);
    EXPECT_EQ(absolute.mode, Mode::absolute);
    EXPECT_EQ(absolute.facts.verdict, '4');
    EXPECT_TRUE(absolute.facts.forced);
    EXPECT_EQ(absolute.group, "math");
    EXPECT_EQ(absolute.generators, std::vector<std::string>{"m"});
    EXPECT_EQ(absolute.characters, std::vector<std::uint64_t>{12});
    EXPECT_EQ(absolute.warnings, std::vector<std::string>{"no_reference"});
    EXPECT_EQ(cell(absolute, "label.gpt4"), Cell(4.5));
    EXPECT_EQ(cell(absolute, "expected_score"), Cell(3.5));
    EXPECT_EQ(cell(absolute, "nosuch"), Cell());
    EXPECT_EQ(pair.mode, Mode::relative);
    EXPECT_EQ(pair.facts.consistent, false);
    EXPECT_EQ(pair.generators, (std::vector<std::string>{"m", "n"}));
    EXPECT_EQ(pair.characters, (std::vector<std::uint64_t>{3, 40}));
    EXPECT_EQ(cell(pair, "label"), Cell("tie"));
    EXPECT_EQ(cell(pair, "consistent"), Cell(0.0));
    EXPECT_EQ(pair.number("orders.ab.p_a"), 0.1);
    EXPECT_EQ(pair.number("verdict"), std::nullopt);
    EXPECT_FALSE(unscored.scored());
    EXPECT_EQ(unscored.mode, std::nullopt);
    EXPECT_EQ(unscored.id, "5");
    EXPECT_EQ(cell(unscored, "score"), Cell());
}

TEST(Results, FindsFieldsWhoseNamesHaveDots) {
    const auto results = results_of(R"({"id":1,"label":{"gpt-4.1":2},"x":{"y":null}})"
                                    "\n");
    EXPECT_EQ(results[0].number("label.gpt-4.1"), 2);
    EXPECT_EQ(results[0].find("x.y"), nullptr);
    EXPECT_EQ(results[0].find("x.y.z"), nullptr);
    EXPECT_EQ(results[0].find(""), nullptr);
}

const std::string scored_x = R"({"id":1,"item_hash":"x","score":4,"warnings":[]})"
                             "\n",
                  scored_y = R"({"id":1,"item_hash":"y","score":3,"warnings":[]})"
                             "\n",
                  unscored_x = R"({"id":1,"item_hash":"x","score":null,"error":"too long"})"
                               "\n",
                  no_item = R"({"id":1,"score":null,"error":"line 1: no item"})"
                            "\n",
                  text_id = R"({"id":"1","item_hash":"z","score":2})"
                            "\n",
                  duplicate_y = R"({"id":1,"item_hash":"y","score":5,"warnings":["duplicate_id"]})"
                                "\n";

TEST(Results, ALaterRecordOfAnItemCounts) {
    using Hashes = std::vector<std::string>;
    EXPECT_EQ(hashes_of(unscored_x + scored_x), Hashes{"x"});
    EXPECT_EQ(hashes_of(unscored_x + unscored_x), Hashes{"x-"});
    EXPECT_EQ(hashes_of(scored_x + scored_y), Hashes{"y"});
    EXPECT_EQ(hashes_of(no_item + scored_x), Hashes{"x"});
    EXPECT_EQ(hashes_of(scored_x + text_id), (Hashes{"x", "z"}));
    EXPECT_EQ(hashes_of(scored_x + scored_x), Hashes{"x"});
    EXPECT_EQ(hashes_of(scored_x + unscored_x), (Hashes{"x", "x-"}));
    // An item that stands twice in the input has two records, and its id a warning.
    EXPECT_EQ(hashes_of(scored_y + duplicate_y), (Hashes{"y", "y"}));
    EXPECT_EQ(hashes_of(scored_x + duplicate_y), (Hashes{"x", "y"}));
    EXPECT_EQ(hashes_of(duplicate_y + scored_x), (Hashes{"y", "x"}));
}

TEST(Results, OfOtherProgramsMayHoldAnything) {
    const auto results =
        results_of(R"({"group": 3, "label": "good", "generator": [1], "characters": -1})");
    ASSERT_EQ(results.size(), 1u);
    EXPECT_FALSE(results[0].label);
    EXPECT_EQ(cell(results[0], "label"), Cell("good"));
    EXPECT_EQ(results_of(R"({"score": 4.0})")[0].facts.verdict, '4');
    EXPECT_FALSE(results_of(R"({"score": 4.5})")[0].scored());
    EXPECT_FALSE(results_of(R"({"score": 0})")[0].scored());
}

TEST(Results, OfTheSameItemAreFoundByIdAndContent) {
    const auto results =
        results_of(scored_y + duplicate_y + text_id + R"({"id":2,"item_hash":"a","score":3})");
    const SameItems same(results);
    for (const Result& result : results) {
        const Result* found = same.of(result);
        ASSERT_TRUE(found);
        EXPECT_EQ(found->json["item_hash"], result.json["item_hash"]);
        EXPECT_EQ(found->json["id"], result.json["id"]);
    }
    // Another judge was asked with another rubric.
    EXPECT_EQ(same.of(results_of(R"({"id":2,"item_hash":"b","score":1})")[0]), &results[3]);
    EXPECT_EQ(same.of(results_of(R"({"id":"2","item_hash":"a","score":1})")[0]), nullptr);
}

TEST(Results, LeavesOutALineThatIsStillBeingWritten) {
    EXPECT_EQ(hashes_of(scored_x + R"({"id":2,"sco)").size(), 1u);
    EXPECT_EQ(hashes_of(scored_x + R"({"id":2,"score":3})").size(), 2u);
    EXPECT_TRUE(results_of("").empty());
}

struct Wrong {
    std::string text, named;
};

TEST(Results, NamesTheLineThatIsWrong) {
    const std::vector<Wrong> cases{
        {"{}\n{\"id\":\n", "some.jsonl: line 2: expected a JSON object, found no JSON"},
        {"[1]\n", "line 1: expected a JSON object, found a list"},
        {R"({"score":1,"item_hash":3})",
         "line 1: item_hash: expected a string, found a number"},
        {R"({"score":1,"group":3})", "line 1: group: expected a string, found a number"},
        {R"({"score":1,"label":{"x":"y"}})", "line 1: label.x: expected a number, found a string"},
        {R"({"score":1,"characters":-1})", "line 1: characters: expected a count or two, found -1"},
        {R"({"score":1,"confidence":1.0000001})",
         "line 1: confidence: 1.0000001000000001 found, 0 to 1 expected"},
        {R"({"score":1,"scale":{"name":"1-7"}})", "line 1: scale: \"1-7\" given"},
    };
    for (const auto& [text, named] : cases) try {
            results_of(text);
            ADD_FAILURE() << text;
        } catch (const Error& error) {
            EXPECT_NE(std::string(error.what()).find(named), std::string::npos) << error.what();
        }
    EXPECT_THROW(read_results("no/such/file"), Error);
    const auto results = results_of("{\"probs\":{\"1\":1},\"list\":[1,\"x\"]}\n");
    EXPECT_THROW(cell(results[0], "probs"), Error);
    EXPECT_THROW(cell(results[0], "list"), Error);
}

}  // namespace
}  // namespace assay
