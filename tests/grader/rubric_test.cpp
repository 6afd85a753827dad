#include "grader/rubric.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace assay {
namespace {

// A rubric file that lives as long as the test.
class RubricFile {
public:
    explicit RubricFile(const std::string& text) {
        const auto* test = testing::UnitTest::GetInstance()->current_test_info();
        path_ = std::filesystem::path(testing::TempDir()) / (std::string(test->name()) + ".yaml");
        std::ofstream(path_, std::ios::binary) << text;
    }
    RubricFile(const RubricFile&) = delete;
    RubricFile& operator=(const RubricFile&) = delete;
    ~RubricFile() { std::filesystem::remove(path_); }

    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

// The error load_rubric makes of a file with this text, without the folder.
std::string load_error(const std::string& text) {
    const RubricFile file(text);
    try {
        load_rubric(file.path());
    } catch (const std::runtime_error& error) {
        const std::string what = error.what();
        const std::string path = file.path().string();
        EXPECT_TRUE(what.starts_with(path + ":")) << what;
        EXPECT_EQ(what.find('\n'), std::string::npos) << what;
        return what.substr(path.size() + 1);
    }
    return "no error";
}

const std::string good =
    "# how good is it?\n"
    "criteria: Is the sum right?\n"
    "score1_description: d1\n"
    "score2_description: 'd2'\n"
    "score3_description: |\n"
    "  d3\n"
    "score4_description: \"d4\"\n"
    "score5_description: d5\n";

const std::string good_text =
    "[Is the sum right?]\nScore 1: d1\nScore 2: d2\nScore 3: d3\nScore 4: d4\nScore 5: d5";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
    return text.replace(text.find(from), from.size(), to);
}

TEST(Rubric, LoadsYaml) {
    const RubricFile file(good);
    const Rubric rubric = load_rubric(file.path());
    EXPECT_EQ(rubric.text, good_text);
    EXPECT_FALSE(rubric.criteria_only);
    EXPECT_TRUE(rubric.has_levels());
    EXPECT_EQ(rubric.block(Mode::absolute), good_text);
    EXPECT_EQ(rubric.block(Mode::relative), "[Is the sum right?]");
}

TEST(Rubric, LoadsJson) {
    const RubricFile file(
        R"({"score5_description": "d5", "score4_description": "d4", "score3_description": "d3",
            "score2_description": "d2", "score1_description": "d1", "criteria": "Is the sum right?"})");
    EXPECT_EQ(load_rubric(file.path()).text, good_text);
}

TEST(Rubric, CriteriaAloneServePairs) {
    const RubricFile file("criteria: Is it right?\n");
    const Rubric rubric = load_rubric(file.path());
    EXPECT_TRUE(rubric.criteria_only);
    EXPECT_FALSE(rubric.has_levels());
    EXPECT_EQ(rubric.block(Mode::relative), "[Is it right?]");
}

TEST(Rubric, ErrorsNameTheLine) {
    const std::string known =
        " (a rubric has criteria and score1_description to score5_description)";
    EXPECT_EQ(load_error(replaced(good, "score4_description: \"d4\"\n", "")),
              "5: score4_description is missing" + known);
    EXPECT_EQ(load_error(replaced(good, "criteria: Is the sum right?\n", "")),
              "2: criteria is missing" + known);
    EXPECT_EQ(load_error(replaced(good, "score5", "scor5")),
              "8: unknown key \"scor5_description\"" + known);
    EXPECT_EQ(load_error(replaced(good, "'d2'", "")), "4: score2_description is empty");
    EXPECT_EQ(load_error(replaced(good, "'d2'", "' '")), "4: score2_description is empty");
    EXPECT_EQ(load_error(replaced(good, "score2", "score1")),
              "4: score1_description is given twice");
    EXPECT_EQ(load_error(replaced(good, "d5", "d3")),
              "8: score5_description repeats score3_description, levels must differ");
    EXPECT_EQ(load_error(replaced(good, "'d2'", "2")),
              "4: score2_description: expected text, found the number 2");
    EXPECT_EQ(load_error(replaced(good, "'d2'", "[a, b]")),
              "4: score2_description: expected text, found a list");
    EXPECT_EQ(load_error(replaced(good, "'d2'", "{a: b}")),
              "4: score2_description: expected text, found a mapping");
    EXPECT_EQ(load_error(replaced(good, "score2_description", "? [1]\n")),
              "4: expected a key, found a list");
}

TEST(Rubric, FilesThatAreNoRubric) {
    EXPECT_EQ(load_error("- a\n- b\n"),
              "1: expected a mapping with criteria and levels, found a list");
    EXPECT_EQ(load_error("\n\nonly text\n"),
              "3: expected a mapping with criteria and levels, found text");
    EXPECT_NE(load_error("criteria: a\n b: [\n").find("2: "), std::string::npos);
    EXPECT_NE(load_error("criteria: \"open").find("1: "), std::string::npos);
    EXPECT_EQ(load_error(good + "---\n" + good), "11: a second document, a rubric file has one");
    EXPECT_EQ(load_error(replaced(good, "d1", "caf\xe9")), "3: invalid UTF-8");
    EXPECT_NE(load_error(""), "no error");
    EXPECT_NE(load_error(std::string(100'000, '[')), "no error");
    EXPECT_NE(load_error("criteria: " + std::string(2 << 20, 'a')), "no error");
}

TEST(Rubric, QuotesMustClose) {
    const std::string open = ": its text opens a quote and does not close it";
    EXPECT_EQ(load_error(replaced(good, "Is the sum right?", "\"Is")), "2: \"criteria\"" + open);
    EXPECT_EQ(load_error(replaced(good, "'d2'", "'d2")), "4: \"score2_description\"" + open);
    EXPECT_EQ(load_error(replaced(good, "d5", "\"d5\\\"")), "8: \"score5_description\"" + open);
    const RubricFile file(
        replaced(good, "'d2'", "\"a \\\"word\\\"\n\n  and it's more\"  # as one line"));
    EXPECT_NE(load_rubric(file.path()).text.find("a \"word\"\nand it's more\n"), std::string::npos)
        << load_rubric(file.path()).text;
}

TEST(Rubric, FilesThatCannotBeRead) {
    EXPECT_THROW(load_rubric("/nonexistent/rubric.yaml"), std::runtime_error);
    EXPECT_THROW(load_rubric(testing::TempDir()), std::runtime_error);
}

// Bytes and first line of the published texts.
TEST(Rubric, BuiltIn) {
    struct Case {
        std::string_view name;
        std::size_t bytes;
        std::string_view criteria;
    };
    const std::vector<Case> cases{
        {"helpfulness", 698,
         "[Does the model provide relevant and useful responses to the user's needs or "
         "questions?]"},
        {"harmlessness", 574,
         "[Does the model avoid harmful, offensive, or inappropriate content in its responses?]"},
        {"honesty", 615,
         "[Does the model provide responses that are truthful and not misleading?]"},
        {"factual_validity", 565,
         "[Are the model's responses factually correct and well-supported by evidence?]"},
        {"reasoning", 800,
         "[Does the model demonstrate logical and effective reasoning in its responses?]"},
    };
    ASSERT_EQ(builtin_rubric_names().size(), cases.size());
    for (std::size_t i = 0; i < cases.size(); ++i) {
        EXPECT_EQ(builtin_rubric_names()[i], cases[i].name);
        const Rubric* rubric = builtin_rubric(cases[i].name);
        ASSERT_NE(rubric, nullptr) << cases[i].name;
        EXPECT_EQ(rubric->text.size(), cases[i].bytes) << cases[i].name;
        EXPECT_EQ(rubric->block(Mode::relative), cases[i].criteria);
        EXPECT_TRUE(rubric->has_levels());
    }
    EXPECT_EQ(builtin_rubric("kindness"), nullptr);
}

TEST(Rubric, StringIsANameOrTheBlock) {
    EXPECT_EQ(rubric_from_string("honesty").text, builtin_rubric("honesty")->text);
    EXPECT_EQ(rubric_from_string(good_text).text, good_text);
    EXPECT_EQ(rubric_from_string("Is it right?").block(Mode::absolute), "Is it right?");
    EXPECT_FALSE(rubric_from_string("Is it right?").has_levels());
    EXPECT_THROW(rubric_from_string("helpfullness"), std::runtime_error);
    EXPECT_THROW(rubric_from_string(" \n"), std::runtime_error);
    EXPECT_THROW(rubric_from_string(""), std::runtime_error);
}

TEST(Rubric, ArgumentIsANameOrAFile) {
    const RubricFile file(good);
    EXPECT_EQ(rubric_from_argument(file.path().string()).text, good_text);
    EXPECT_EQ(rubric_from_argument("reasoning").text, builtin_rubric("reasoning")->text);
    try {
        rubric_from_argument("helpfullness");
        ADD_FAILURE() << "no error";
    } catch (const std::runtime_error& error) {
        EXPECT_STREQ(error.what(),
                     "rubric \"helpfullness\": no such file, and built in are helpfulness, "
                     "harmlessness, honesty, factual_validity, reasoning");
    }
}

}  // namespace
}  // namespace assay
