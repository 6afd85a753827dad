#include "grader/eval/questions.h"

#include <gtest/gtest.h>

#include <set>

namespace assay::eval {
namespace {

constexpr std::string_view rubric =
    "[Is it right?]\nScore 1: a\nScore 2: b\nScore 3: c\nScore 4: d\nScore 5: e";

Item pair(char preferred) {
    Item item;
    item.id = {"17", true};
    item.mode = Mode::relative;
    item.instruction = " Why?\n### Notes\nMany. ";
    item.response = "Because.\n";
    item.response_b = "No ### idea";
    item.rubric = {std::string(rubric), false};
    item.label = Label{.scores = {}, .preferred = preferred};
    item.generator = "first";
    item.generator_b = "second";
    return item;
}

const Benchmark& hhh() { return benchmark_named("hhh"); }

std::vector<Item> all_at_hand(Questions& questions) {
    std::vector<Item> items;
    while (auto item = questions.next()) items.push_back(*std::move(item));
    return items;
}

TEST(EvalQuestions, APairIsTwoScoresAndAChoice) {
    const std::vector<Item> records{pair('B')};
    Questions questions(hhh(), records, {.protocols = {Protocol::a2r, Protocol::r2r}});
    EXPECT_EQ(questions.count(), 3u);
    const auto items = all_at_hand(questions);
    ASSERT_EQ(items.size(), 3u);
    EXPECT_EQ(items[0].id, (ItemId{"17.chosen", false}));
    EXPECT_EQ(items[0].mode, Mode::absolute);
    EXPECT_EQ(items[0].response, "No ### idea");
    EXPECT_EQ(items[0].generator, "second");
    EXPECT_EQ(items[0].response_b, "");
    EXPECT_EQ(items[0].instruction, records[0].instruction);
    EXPECT_EQ(items[0].rubric.text, rubric);
    EXPECT_FALSE(items[0].label);
    EXPECT_EQ(items[1].id.text, "17.rejected");
    EXPECT_EQ(items[1].response, "Because.\n");
    EXPECT_EQ(items[1].generator, "first");
    EXPECT_EQ(items[2].id, records[0].id);
    EXPECT_EQ(items[2].mode, Mode::relative);
}

TEST(EvalQuestions, RankingReadsTextsAsThePublishedCodeDoes) {
    const Item shown = question(hhh(), pair('A'), Protocol::r2r, false);
    EXPECT_EQ(shown.instruction, "Why?");
    EXPECT_EQ(shown.response, "Because.");
    EXPECT_EQ(shown.response_b, "No");
    EXPECT_EQ(shown.rubric.block(Mode::relative), "[Is it right?]");

    Item two_lines = pair('A');
    two_lines.rubric.text = "[Is it right\nor not?]\nScore 1: a";
    EXPECT_EQ(question(hhh(), two_lines, Protocol::r2r, false).rubric.block(Mode::relative),
              "[Is it right");
    const Item meant = question(hhh(), two_lines, Protocol::r2r, true);
    EXPECT_EQ(meant.rubric.block(Mode::relative), "[Is it right\nor not?]");
    EXPECT_EQ(meant.response_b, "No ### idea");
}

TEST(EvalQuestions, AutoJHasAnEmptyRubricUnlessRepaired) {
    const Benchmark& autoj = benchmark_named("autoj");
    const Item shown = question(autoj, pair('A'), Protocol::r2r, false);
    EXPECT_EQ(shown.rubric.block(Mode::relative), "");
    EXPECT_EQ(shown.response, "Because.");
    EXPECT_EQ(shown.response_b, "No ### idea");  // it is not read out of a prompt
    EXPECT_EQ(shown.instruction, pair('A').instruction);
    EXPECT_EQ(question(autoj, pair('A'), Protocol::r2r, true).rubric.block(Mode::relative),
              "[Is it right?]");
    EXPECT_FALSE(quirks(autoj).empty());
}

TEST(EvalQuestions, AutoJPromptsAreNotStripped) {
    const Benchmark& autoj = benchmark_named("autoj");
    const Profile& paper = profile_named("paper-eval");
    const Item item = question(autoj, pair('A'), Side::chosen, 0, false);
    const std::string text = render(profile_for(autoj, paper, false), item).text;
    EXPECT_NE(text.find("standards set for performance.\n###Task Description:\n"),
              std::string::npos);
    EXPECT_NE(text.find("\n\n###Score Rubrics:\n\n[Is it right?]\nScore 1"), std::string::npos);
    EXPECT_TRUE(text.ends_with("\n\n###Feedback:  [/INST]")) << text;

    const Item meant = question(autoj, pair('A'), Side::chosen, 0, true);
    EXPECT_TRUE(
        render(profile_for(autoj, paper, true), meant).text.ends_with("###Feedback: [/INST]"));
    EXPECT_EQ(&profile_for(hhh(), paper, false), &paper);
    EXPECT_EQ(&profile_for(autoj, profiles().front(), false), &profiles().front());
}

TEST(EvalQuestions, BiGGenBenchEndsTheSystemTextWithALineBreak) {
    const Benchmark& biggen = benchmark_named("biggen");
    const Profile& paper = profile_named("paper-eval");
    Item item = pair('A');
    item.mode = Mode::absolute;
    const auto prompt = [&](const Benchmark& benchmark) {
        return render(profile_for(benchmark, paper, false), item).text;
    };
    EXPECT_NE(prompt(biggen).find("set for performance.\n###Task Description:\n"),
              std::string::npos);
    EXPECT_NE(prompt(benchmark_named("vicuna")).find("set for performance.###Task Description:\n"),
              std::string::npos);
    EXPECT_TRUE(prompt(biggen).ends_with("###Feedback: [/INST]"));
}

// Says of each question what `verdict` says, and gives the ids of all that were asked.
template <typename Verdict>
std::vector<std::string> ids_asked(const std::vector<Item>& records, Verdict verdict) {
    Questions questions(hhh(), records, {.protocols = {Protocol::a2r}});
    std::vector<std::string> ids;
    while (auto item = questions.next()) {
        ids.push_back(item->id.text);
        const auto hash = item->id.text.find('#');
        const bool first = hash == std::string::npos;
        EXPECT_EQ(std::to_string(item->first_sample), first ? "0" : item->id.text.substr(hash + 1));
        questions.answered(*item, verdict(*item));
    }
    return ids;
}

TEST(EvalQuestions, EqualScoresAreDrawnAgainTwice) {
    const auto always = [](const Item&) { return '3'; };
    EXPECT_EQ(ids_asked({pair('A')}, always),
              (std::vector<std::string>{"17.chosen", "17.rejected", "17.chosen#1", "17.rejected#1",
                                        "17.chosen#2", "17.rejected#2"}));
    const auto once = [](const Item& item) {
        return item.first_sample == 0 || item.response == "Because.\n" ? '3' : '2';
    };
    EXPECT_EQ(ids_asked({pair('A')}, once).size(), 4u);
    const auto never = [](const Item& item) { return item.response == "Because.\n" ? '3' : '2'; };
    EXPECT_EQ(ids_asked({pair('A')}, never).size(), 2u);
    EXPECT_EQ(ids_asked({pair('=')}, always).size(), 2u) << "a tie may be scored alike";
    const auto unscored = [](const Item&) { return '\0'; };
    EXPECT_EQ(ids_asked({pair('A')}, unscored).size(), 2u);
}

TEST(EvalBenchmarks, AreNamedOnce) {
    std::set<std::string_view> names, files;
    for (const Benchmark& benchmark : benchmarks()) {
        EXPECT_TRUE(names.insert(benchmark.name).second) << benchmark.name;
        EXPECT_TRUE(files.insert(benchmark.file).second) << benchmark.file;
        EXPECT_EQ(&benchmark_named(benchmark.name), &benchmark);
        EXPECT_EQ(benchmark_of_file(benchmark.file), &benchmark);
    }
    EXPECT_EQ(benchmark_of_file("nosuch.json"), nullptr);
    EXPECT_THROW(benchmark_named("nosuch"), std::runtime_error);
}

}  // namespace
}  // namespace assay::eval
