#include "grader/rubric_check.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/model/test_files.h"

namespace assay {
namespace {

using Lines = std::vector<std::string>;

Rubric of_levels(const Lines& levels, const std::string& criteria = "Is it good?") {
    std::string text = "[" + criteria + "]";
    for (std::size_t i = 0; i < levels.size(); ++i)
        text += "\nScore " + std::to_string(i + 1) + ": " + levels[i];
    return {text};
}

const Lines good{"Bad.", "Rather bad.", "In between.", "Rather good.", "Good."};

Lines changed(std::size_t level, const std::string& text) {
    Lines levels = good;
    levels.at(level - 1) = text;
    return levels;
}

TEST(RubricCheck, FindsNothingWrongWithGoodOnes) {
    for (const std::string_view name : builtin_rubric_names()) {
        const RubricFindings findings = check_rubric(*builtin_rubric(name));
        EXPECT_TRUE(findings.problems.empty() && findings.warnings.empty()) << name;
    }
    EXPECT_TRUE(check_rubric(of_levels(good)).warnings.empty());
}

TEST(RubricCheck, FindsProblems) {
    for (const auto& [rubric, problem] : std::vector<std::pair<Rubric, std::string>>{
             {of_levels(changed(3, " \u3000")), "level 3 is empty"},
             {of_levels(changed(5, "  in  BETWEEN.\n")), "level 5 repeats level 3"},
             {of_levels(good, " "), "no criteria"},
             {of_levels({"Bad.", "Good."}), "level 3 is missing"}}) {
        const RubricFindings findings = check_rubric(rubric);
        ASSERT_EQ(findings.problems.size(), 1u) << rubric.text;
        EXPECT_TRUE(findings.problems[0].starts_with(problem)) << findings.problems[0];
    }
}

TEST(RubricCheck, WarnsOfLevelsThatAreNearlyTheSame) {
    const std::string text = "The response gives most of the reasons that matter";
    const auto warnings = [&](const std::string& other) {
        Lines levels = changed(2, text);
        levels[3] = other;
        const RubricFindings findings = check_rubric(of_levels(levels));
        EXPECT_TRUE(findings.problems.empty());
        return findings.warnings;
    };
    EXPECT_EQ(warnings(text + "."), Lines{"level 2 and level 4 differ in punctuation alone"});
    EXPECT_EQ(warnings("The response gives most of the reason that matters"), Lines{});  // 2 places
    EXPECT_EQ(warnings("The response gives mast of the reasons that matter"),
              Lines{"level 2 and level 4 differ in 1 of 50 characters"});
    EXPECT_EQ(warnings("The response gives none of the reasons that matter"), Lines{});
    // Another number is another level.
    Lines numbers = good;
    for (std::size_t i = 0; i < 5; ++i)
        numbers[i] = "The response has as many as " + std::to_string(9 - i) + " mistakes in it";
    EXPECT_EQ(check_rubric(of_levels(numbers)).warnings, Lines{});
}

TEST(RubricCheck, OnlyPairsDoWithoutLevels) {
    const Rubric rubric{"[Which is better?]", true};
    EXPECT_EQ(check_rubric(rubric).warnings.size(), 1u);
    EXPECT_TRUE(check_rubric(rubric).problems.empty());
    EXPECT_TRUE(check_rubric(rubric, Mode::relative).warnings.empty());
}

TEST(RubricCheck, KnowsWhoSpeaksOfAReferenceAnswer) {
    EXPECT_TRUE(mentions_reference(of_levels(changed(1, "Unlike the Reference\n answer."))));
    EXPECT_FALSE(mentions_reference(of_levels(good)));
}

TEST(RubricParts, MakeTheRubricAgain) {
    const test::TemporaryFolder folder;
    for (const std::string_view name : builtin_rubric_names()) {
        const Rubric& rubric = *builtin_rubric(name);
        const RubricParts parts = parts_of(rubric);
        EXPECT_EQ(parts.levels.size(), 5u);
        EXPECT_EQ(load_rubric(folder.write("r.yaml", to_yaml(parts))).text, rubric.text);
        EXPECT_EQ(load_rubric(folder.write("r.json", to_json(parts).dump())).text, rubric.text);
    }
    // What YAML would read as something else.
    const Rubric odd = of_levels({"1", "no", "# \"x\": 'y'", "two\nlines\\n", "caf\u00e9 \u4f60"});
    EXPECT_EQ(load_rubric(folder.write("odd.yaml", to_yaml(parts_of(odd)))).text, odd.text);
    const Rubric criteria{"[Which is better?]", true};
    const Rubric read = load_rubric(folder.write("c.yaml", to_yaml(parts_of(criteria))));
    EXPECT_EQ(read.text, criteria.text);
    EXPECT_TRUE(read.criteria_only);
}

}  // namespace
}  // namespace assay
