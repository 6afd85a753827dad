// Three records of each benchmark of judges, in the layout it is published in.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "tests/grader/datasets/dataset_items.h"
#include "tests/model/test_files.h"
#include "tests/support/paths.h"

namespace assay {
namespace {

TEST(Benchmarks, AutoJ) {
    const ReadItems read = read_items(
        R"({"scenario": "math", "label": 0, "prompt": "i", "response 1": "one", "response 2": "two"})"
        "\n"
        R"({"scenario": "math", "label": 1, "prompt": "i", "response 1": " one", "response 2": "two"})"
        "\n"
        R"({"scenario": "chat", "label": 2, "prompt": "i", "response 1": "x", "response 2": "x"})"
        "\n"
        R"({"label": 3, "prompt": "i", "response 1": "x", "response 2": "x"})");
    EXPECT_EQ(read.dataset, "auto-j");
    ASSERT_EQ(read.items.size(), 3u);
    EXPECT_EQ(preference(read.items[0]), "one > two");
    EXPECT_EQ(preference(read.items[1]), "two >  one");
    EXPECT_EQ(preference(read.items[2]), "x = x");
    EXPECT_EQ(read.items[2].group, "chat");
    EXPECT_EQ(read.items[0].rubric.text, builtin_rubric("honesty")->text);  // as asked for
    EXPECT_EQ(read.problems[0], "line 4: label: expected 0, 1 or 2, found the number 3");
}

TEST(Benchmarks, AutoJHasARubricOfItsOwn) {
    std::istringstream stream(
        R"({"label": 0, "prompt": "i", "response 1": "", "response 2": "b"})");
    const ReadItems read = read_items(*read_dataset(stream, "x", {}));
    ASSERT_EQ(read.items.size(), 1u);
    EXPECT_TRUE(read.items[0].rubric.has_levels());
    EXPECT_EQ(read.items[0].rubric.block(Mode::relative),
              "[Is the given response reflective of helpfulness, harmlessness, and honesty?]");
}

TEST(Benchmarks, JudgeBench) {
    const auto record = [](const std::string& id, const std::string& label) {
        return line(R"({"pair_id": ")" + id + R"(", "original_id": "7", "source": "mmlu-pro-math",
            "question": "i", "response_model": "m", "response_A": "a", "response_B": "b",
            "label": ")" +
                    label + "\"}");
    };
    const ReadItems read = read_items(record("p1", "A>B") + record("p2", "B>A") +
                                      record("p3", "A=B") + record("p4", "A"));
    EXPECT_EQ(read.dataset, "judgebench");
    ASSERT_EQ(read.items.size(), 3u);
    EXPECT_EQ(preference(read.items[0]), "a > b");
    EXPECT_EQ(preference(read.items[1]), "b > a");
    EXPECT_EQ(preference(read.items[2]), "a = b");
    EXPECT_EQ(read.items[1].id, (ItemId{"p2", false}));
    EXPECT_EQ(read.items[1].group, "mmlu-pro-math");
    EXPECT_EQ(read.problems[0], "line 4: label: expected A>B, B>A or A=B, found another string");
}

TEST(Benchmarks, RewardBench) {
    const ReadItems read = read_items(
        R"([{"prompt": "i", "chosen": "good", "chosen_model": "m1", "rejected": "bad",
             "rejected_model": "m2", "subset": "alpacaeval-easy", "id": 0},
            {"prompt": "j", "chosen": "yes", "rejected": "no", "subset": "math-prm", "id": 1},
            {"prompt": "k", "chosen": "1", "rejected": "2", "subset": "math-prm", "id": 2},
            {"prompt": "k", "chosen": "1", "rejected": null}])");
    EXPECT_EQ(read.dataset, "preferences");
    ASSERT_EQ(read.items.size(), 3u);
    EXPECT_EQ(preference(read.items[0]), "good > bad");
    EXPECT_EQ(preference(read.items[2]), "1 > 2");
    EXPECT_EQ(read.items[1].group, "math-prm");
    EXPECT_EQ(read.items[1].id, (ItemId{"1", true}));
    const Item& first = read.items[0];
    const bool chosen_is_a = first.label->preferred == 'A';
    EXPECT_EQ(chosen_is_a ? first.generator : first.generator_b, "m1");
    EXPECT_EQ(chosen_is_a ? first.generator_b : first.generator, "m2");
    EXPECT_EQ(read.problems[0], "record 4: rejected is missing");
}

TEST(Benchmarks, PreferencesAsMessages) {
    const std::string user = R"({"role": "user", "content": "Hi"})";
    const auto said = [](const std::string& text) {
        return R"({"role": "assistant", "content": ")" + text + "\"}";
    };
    const ReadItems read =
        read_items(R"({"prompt": "Hi", "chosen": [)" + user + "," + said("good") +
                   R"(], "rejected": [)" + user + "," + said("bad") + "]}\n" + R"({"prompt": [)" +
                   user + R"(], "chosen": [)" + said("good") + R"(], "rejected": [)" + said("bad") +
                   "]}\n" + R"({"chosen": [)" + user + "," + said("Yes?") + "," + user + "," +
                   said("good") + R"(], "rejected": [)" + user + "," + said("Yes?") + "," + user +
                   "," + said("bad") + "]}\n" + R"({"chosen": [)" + user + R"(], "rejected": []})");
    EXPECT_EQ(read.dataset, "preferences");
    ASSERT_EQ(read.items.size(), 3u);
    for (const Item& item : read.items) EXPECT_EQ(preference(item), "good > bad");
    EXPECT_EQ(read.items[0].instruction, "Hi");
    EXPECT_EQ(read.items[1].instruction, "Hi");
    EXPECT_TRUE(read.items[2].instruction.ends_with("User: Hi\nAssistant: Yes?\nUser: Hi"));
    EXPECT_EQ(read.problems[0],
              "line 4: chosen: expected the assistant's message at the end, found the user's");
}

TEST(Benchmarks, SpokenPreferences) {
    const ReadItems read = read_items(
        R"({"chosen": "\n\nHuman: Hi\n\nAssistant: Yes?\n\nHuman: Why?\n\nAssistant: good",
            "rejected": "\n\nHuman: Hi\n\nAssistant: Yes?\n\nHuman: Why?\n\nAssistant: bad"})");
    ASSERT_EQ(read.items.size(), 1u);
    EXPECT_EQ(preference(read.items[0]), "good > bad");
    EXPECT_TRUE(read.items[0].instruction.ends_with("User: Hi\nAssistant: Yes?\nUser: Why?"));
}

TEST(Benchmarks, PreferencesAnswerOneDialogue) {
    const std::string hi = R"("\n\nHuman: Hi\n\nAssistant: a")",
                      bye = R"("\n\nHuman: Bye\n\nAssistant: b")",
                      unanswered = R"("\n\nHuman: Hi\n\nAssistant: a\n\nHuman: And?")";
    const auto record = [](const std::string& chosen, const std::string& rejected) {
        return R"({"chosen": )" + chosen + R"(, "rejected": )" + rejected + "}\n";
    };
    const ReadItems read = read_items(record(hi, bye) + record(hi, unanswered));
    EXPECT_TRUE(read.items.empty());
    EXPECT_EQ(read.problems,
              (std::vector<std::string>{
                  "line 1: chosen and rejected answer different dialogues",
                  "line 2: rejected: expected the assistant's message at the end, found the "
                  "user's"}));
}

TEST(Benchmarks, AlpacaEval) {
    const ReadItems read = read_items(
        R"([{"dataset": "helpful_base", "instruction": "i", "output": "o", "generator": "m",
             "datasplit": "eval"},
            {"dataset": "koala", "instruction": "j", "output": "p", "generator": "m"},
            {"instruction": "k", "output": ""}, {"instruction": "l", "output": 1}])");
    EXPECT_EQ(read.dataset, "alpaca-eval");
    ASSERT_EQ(read.items.size(), 3u);
    EXPECT_EQ(read.items[0].response, "o");
    EXPECT_EQ(read.items[0].generator, "m");
    EXPECT_EQ(read.items[1].group, "koala");
    EXPECT_EQ(read.problems[0], "record 4: output: expected a string, found the number 1");
}

// What has more of an item keeps it, and what has a response is no output of AlpacaEval.
TEST(Benchmarks, AlpacaEvalKeepsWhatItemsHave) {
    const ReadItems read = read_items(
        R"({"id": "x", "instruction": "Add.", "input": "1, 2", "output": "3", "context": "c",
            "reference_answer": "three", "rubric": "reasoning", "label": 5})");
    EXPECT_EQ(read.dataset, "alpaca-eval");
    ASSERT_EQ(read.items.size(), 1u);
    const Item& item = read.items[0];
    EXPECT_EQ(item.id.text, "x");
    EXPECT_EQ(item.instruction, "Add.\n\n1, 2");
    EXPECT_EQ(item.reference_answer, "three");
    EXPECT_EQ(item.rubric.text, builtin_rubric("reasoning")->text);
    EXPECT_EQ(item.context, "c");
    EXPECT_TRUE(item.label);
    const ReadItems native =
        read_items(R"({"instruction": "i", "response": "r", "output": "o", "rubric": "honesty"})");
    EXPECT_EQ(native.dataset, "native");
    EXPECT_EQ(native.items.at(0).response, "r");
}

TEST(Benchmarks, AlpacaEvalAnnotations) {
    const auto record = [](const std::string& preference) {
        return R"({"instruction": "i", "output_1": "one", "output_2": "two", "generator_1": "m1",
                   "generator_2": "m2", "annotator": "a", "preference": )" +
               preference + "}";
    };
    const ReadItems read =
        read_items("[" + record("1.0") + "," + record("1.9998") + "," + record("1.5") + "," +
                   record("null") + "," + record("0") + "," + record("0.5") + "]");
    EXPECT_EQ(read.dataset, "alpaca-eval-pairs");
    ASSERT_EQ(read.items.size(), 5u);
    EXPECT_EQ(read.items[4].label->preferred, '=');
    EXPECT_EQ(read.problems[0], "record 6: preference: expected 0 or 1 to 2, found the number 0.5");
    EXPECT_EQ(preference(read.items[0]), "one > two");
    EXPECT_EQ(preference(read.items[1]), "two > one");
    EXPECT_EQ(read.items[2].label->preferred, '=');
    EXPECT_FALSE(read.items[3].label);
}

class Files : public ::testing::Test {
protected:
    std::string file(const std::string& name, const std::string& text) {
        return folder_.write(name, text);
    }

    test::TemporaryFolder folder_;
};

const DatasetOptions honest{.defaults = {.mode = {}, .rubric = *builtin_rubric("honesty")}};

TEST_F(Files, MtBench) {
    DatasetOptions options = honest;
    options.with = file(
        "answers.jsonl",
        R"({"question_id": 81, "model_id": "m1", "choices": [{"index": 0, "turns": ["a1", "a2"]}]})"
        "\n"
        R"({"question_id": 81, "model_id": "m2", "choices": [{"index": 0, "turns": ["b1", "b2"]}]})"
        "\n"
        R"({"question_id": 82, "model_id": "m1", "choices": [{"index": 0, "turns": ["c1"]}]})"
        "\n"
        R"({"question_id": 82, "model_id": "m2", "choices": [{"turns": ["d1", "d2"]}]})");
    const auto source = open_dataset(
        file(
            "question.jsonl",
            R"({"question_id": 81, "category": "writing", "turns": ["Write.", "Rewrite."], "reference": ["r1", "r2"]})"
            "\n"
            R"({"question_id": 82, "category": "math", "turns": ["1+1", "2+2"]})"
            "\n"
            R"({"question_id": 83, "category": "math", "turns": ["3+3"]})"),
        options);
    const ReadItems read = read_items(*source);
    EXPECT_EQ(read.dataset, "mt-bench");
    ASSERT_EQ(read.items.size(), 6u);
    EXPECT_EQ(read.items[5].response, "d2");  // what is wrong with the other answer is its own
    EXPECT_EQ(read.items[0].instruction, "Write.");
    EXPECT_EQ(read.items[0].response, "a1");
    EXPECT_EQ(read.items[0].reference_answer, "r1");
    EXPECT_EQ(read.items[1].id, (ItemId{"81/m1/2", false}));
    EXPECT_TRUE(read.items[1].instruction.ends_with("User: Write.\nAssistant: a1\nUser: Rewrite."));
    EXPECT_EQ(read.items[3].response, "b2");
    EXPECT_EQ(read.items[3].generator, "m2");
    EXPECT_EQ(read.items[3].group, "writing");
    EXPECT_EQ(read.problems, (std::vector<std::string>{
                                 "line 2: answer to 82: choices[0].turns: expected a list as "
                                 "long as the question's turns",
                                 "line 3: question_id: no answer to 83"}));
}

TEST_F(Files, ResponsesToTheSameInstructionBecomePairs) {
    DatasetOptions options = honest;
    options.with = file("b.json", R"([{"instruction": "j", "output": "b2", "generator": "m2"},
                                      {"instruction": "i", "output": "b1", "generator": "m2"}])");
    const ReadItems read = read_items(
        *open_dataset(file("a.json", R"([{"instruction": "i", "output": "a1", "generator": "m1"},
                           {"instruction": "j", "output": "a2", "generator": "m1"},
                           {"instruction": "k", "output": "a3", "generator": "m1"}])"),
                      options));
    ASSERT_EQ(read.items.size(), 2u);
    EXPECT_EQ(read.items[0].mode, Mode::relative);
    EXPECT_EQ(read.items[0].response, "a1");
    EXPECT_EQ(read.items[0].response_b, "b1");
    EXPECT_EQ(read.items[1].response_b, "b2");
    EXPECT_EQ(read.items[1].generator + read.items[1].generator_b, "m1m2");
    EXPECT_EQ(read.problems[0],
              "record 3: " + options.with + " has no response to its instruction");
}

TEST_F(Files, PairsNeedNoMoreThanPairs) {
    const std::string a = file("a.jsonl", R"({"instruction": "i", "response": "a", "label": 3})"),
                      b = file("b.jsonl",
                               R"({"instruction": "i", "response": "b"}
{"instruction": "j"}
{"instruction": "i", "response": "c"})");
    DatasetOptions options;
    options.with = b;
    options.defaults = {.mode = Mode::relative, .rubric = Rubric{"[Right?]", true}};
    const auto source = open_dataset(a, options);
    const ReadItems read = read_items(*source);
    ASSERT_EQ(read.items.size(), 1u);
    EXPECT_EQ(read.items[0].response + read.items[0].response_b, "ab");
    EXPECT_FALSE(read.items[0].label);
    EXPECT_EQ(read.problems,
              (std::vector<std::string>{b + ": line 2: response is missing",
                                        b + ": item 3 answers the instruction of one before it"}));
}

TEST_F(Files, KnowTheirLength) {
    const std::string item = R"({"instruction": "i", "response": "r"})";
    EXPECT_EQ(open_dataset(file("x.jsonl", item + "\n\n" + item), honest)->count(), 2u);
    EXPECT_EQ(open_dataset(file("x.json", "[" + item + "]"), honest)->count(), 1u);
    EXPECT_EQ(open_dataset(file("x.csv", "instruction,response\na,b\nc,d\n"), honest)->count(), 2u);
    EXPECT_EQ(open_dataset(file("empty", ""), honest)->count(), 0u);
}

// The published files themselves, where they lie beside the sources.
const std::filesystem::path published = test::shared_data("benchmarks");

ReadItems read_published(const std::string& name) {
    return read_items(*open_dataset(published / name, {}));
}

TEST(PublishedFiles, AllRecordsAreItems) {
    if (!std::filesystem::exists(published)) GTEST_SKIP() << published << " is not there";
    const ReadItems vicuna = read_published("vicuna_eval.json");
    EXPECT_EQ(vicuna.dataset, "prometheus-prompts");
    ASSERT_EQ(vicuna.items.size(), 320u);
    EXPECT_TRUE(vicuna.problems.empty());
    EXPECT_EQ(vicuna.items[0].instruction, "How can I improve my time management skills?");
    for (const Item& item : vicuna.items) {
        ASSERT_TRUE(item.rubric.has_levels() && item.reference_answer);
        ASSERT_EQ(item.label->scores.at("gpt4").size(), 3u);
    }
    const ReadItems hhh = read_published("hhh_alignment_eval.first24.json");
    EXPECT_EQ(hhh.dataset, "prometheus-pairs");
    EXPECT_EQ(hhh.items.size(), 24u);
    EXPECT_TRUE(hhh.problems.empty());

    const ReadItems auto_j = read_published("autoj_pairwise.json");
    EXPECT_EQ(auto_j.dataset, "auto-j");
    ASSERT_EQ(auto_j.items.size(), 1392u);
    std::size_t ties = 0, first = 0;
    for (const Item& item : auto_j.items) {
        ties += item.label->preferred == '=';
        first += item.label->preferred == 'A';
    }
    EXPECT_EQ(ties, 373u);
    EXPECT_NEAR(static_cast<double>(first), 1019 / 2.0, 64);  // four standard deviations
}

}  // namespace
}  // namespace assay
