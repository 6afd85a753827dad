#include "grader/journal.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <set>
#include <string>
#include <vector>

#include "tests/model/test_files.h"

namespace assay::test {
namespace {

namespace fs = std::filesystem;

using Settings = Journal::Settings;
using Line = std::variant<Item, BadItem>;

const Settings settings{{"model", "judge"},
                        {"sampling", {{"temperature", 0.7}, {"top_p", 0.9}}},
                        {"seed", 3},
                        {"context", 4096}};

Item item(const std::string& id, const std::string& response = "Yeast.") {
    return {.id = {id, false},
            .mode = Mode::absolute,
            .instruction = "Why?",
            .response = response,
            .response_b = "",
            .reference_answer = std::nullopt,
            .rubric = *builtin_rubric("honesty")};
}

Record graded(const Item& item, const std::string& feedback = "Good.") {
    return {.id = item.id,
            .item_hash = item_hash(item),
            .mode = item.mode,
            .result = Grade{.verdict = {'4'},
                            .distribution = {Mode::absolute, {0, 0, 0.25, 0.5, 0.25}},
                            .feedback = feedback}};
}

Record failed(const Item& item) {
    return {.id = item.id,
            .item_hash = item_hash(item),
            .mode = item.mode,
            .result = Unscored{"context_exceeded", "too long"}};
}

// Grades what the journal does not hold, and says which that was.
std::vector<std::string> grade(const fs::path& path, const std::vector<Item>& items,
                               const JournalOptions& options = {},
                               const Settings& with = settings) {
    Journal journal(path, options);
    journal.begin(with);
    std::vector<std::string> done;
    for (const Item& each : items) {
        if (journal.take(each)) continue;
        journal.append(graded(each));
        done.push_back(each.id.text);
    }
    return done;
}

std::vector<std::string> lines_of(const fs::path& path) {
    std::ifstream file(path);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
}

using Ids = std::vector<std::string>;

TEST(Journal, BeginsWithItsHeader) {
    const TemporaryFolder folder;
    const fs::path path = folder.path() / "out.jsonl";
    EXPECT_EQ(grade(path, {item("a"), item("b")}), (Ids{"a", "b"}));
    const auto lines = lines_of(path);
    ASSERT_EQ(lines.size(), 3u);
    EXPECT_EQ(lines[0],
              R"({"assay":{"journal":1,"model":"judge","sampling":{"temperature":0.7,"top_p":0.9},)"
              R"("seed":3,"context":4096}})");
    EXPECT_EQ(lines[1], to_json_line(graded(item("a"))));
}

TEST(Journal, SkipsWhatItHolds) {
    const TemporaryFolder folder;
    const fs::path path = folder.path() / "out.jsonl";
    grade(path, {item("b"), item("a")});
    EXPECT_EQ(grade(path, {item("a"), item("b"), item("c")}), Ids{"c"});
    EXPECT_EQ(grade(path, {item("a"), item("b"), item("c")}), Ids{});
    EXPECT_EQ(lines_of(path).size(), 4u);
    // The same id with another content is another item; the same item twice needs two records.
    EXPECT_EQ(grade(path, {item("a", "Gas."), item("a")}), Ids{"a"});
    EXPECT_EQ(grade(path, {item("b"), item("b"), item("b")}), (Ids{"b", "b"}));
    // A number is not the string that looks like it.
    Item number = item("7");
    number.id.is_number = true;
    EXPECT_EQ(grade(path, {item("7"), number, item("7")}), (Ids{"7", "7", "7"}));
}

TEST(Journal, TellsWhatItHolds) {
    const TemporaryFolder folder;
    const fs::path path = folder.path() / "out.jsonl";
    grade(path, {item("a")});
    const auto facts = Journal(path, {}).take(item("a"));
    ASSERT_TRUE(facts);
    EXPECT_EQ(facts->verdict, '4');
    EXPECT_EQ(facts->expected_score, 4.0);
    EXPECT_FALSE(facts->forced);
}

TEST(Journal, RetriesTheUnscoredWhenToldTo) {
    const TemporaryFolder folder;
    const fs::path path = folder.path() / "out.jsonl";
    const BadItem bad({"x", false}, "line 3: nonsense \xff"), other({"x", false}, "line 3: worse");
    {
        Journal journal(path, {});
        journal.begin(settings);
        journal.append(failed(item("a")));
        journal.append(graded(item("b")));
        journal.append(unscored(bad));
    }
    EXPECT_EQ(grade(path, {item("a"), item("b")}), Ids{});
    EXPECT_EQ(grade(path, {item("a"), item("b")}, {.retry_unscored = true}), Ids{"a"});
    // The record that came later counts.
    EXPECT_EQ(Journal(path, {}).take(item("a"))->verdict, '4');
    EXPECT_EQ(grade(path, {item("a"), item("b")}, {.retry_unscored = true}), Ids{});
    // A line that is no item is none the second time.
    Journal journal(path, {.retry_unscored = true});
    EXPECT_TRUE(journal.take(bad));
    EXPECT_FALSE(journal.take(bad));
    EXPECT_FALSE(journal.take(other));
}

// However a writer dies, what it leaves is the beginning of what it wrote.
TEST(Journal, GoesOnFromEveryBeginning) {
    const TemporaryFolder folder;
    const fs::path path = folder.path() / "out.jsonl";
    const std::vector<Item> items{item("a"), item("b"), item("\xC3\xA9")};
    grade(path, items);
    const std::string whole = read_file(path);
    for (std::size_t bytes = 0; bytes <= whole.size(); ++bytes) {
        fs::remove(path);  // to make a file is faster than to empty one
        folder.write("out.jsonl", whole.substr(0, bytes));
        grade(path, items);
        ASSERT_EQ(read_file(path), whole) << "after the first " << bytes << " bytes";
    }
}

TEST(Journal, ABlockThatNeverReachedTheDiskIsCutOff) {
    const TemporaryFolder folder;
    const fs::path path = folder.path() / "out.jsonl";
    grade(path, {item("a")});
    const std::string whole = read_file(path);
    folder.write("out.jsonl", whole + std::string(4096, '\0'));
    EXPECT_EQ(grade(path, {item("a")}), Ids{});
    EXPECT_EQ(read_file(path), whole);
}

TEST(Journal, ReplacesWhenToldTo) {
    const TemporaryFolder folder;
    const fs::path path = folder.write("out.jsonl", "something else\n");
    EXPECT_EQ(grade(path, {item("a")}, {.replace = true}), Ids{"a"});
    Settings others = settings;
    others["seed"] = 4;
    EXPECT_EQ(grade(path, {item("a")}, {.replace = true}, others), Ids{"a"});
    EXPECT_EQ(lines_of(path).size(), 2u);
}

TEST(Journal, RefusesToMixSettings) {
    const TemporaryFolder folder;
    const fs::path path = folder.path() / "out.jsonl";
    grade(path, {item("a")});
    const std::string before = read_file(path);
    const auto refuses = [&](const Settings& other, const std::vector<std::string>& parts) {
        Journal journal(path, {});
        expect_error([&] { journal.begin(other); }, parts);
    };
    Settings other = settings;
    other["sampling"]["top_p"] = 1;
    refuses(other, {"out.jsonl", "sampling.top_p is 0.9 in the file, 1 in this run", "--force"});
    other = settings;
    other["samples"] = 2;
    refuses(other, {"samples is none in the file, 2 in this run"});
    other = settings;
    other.erase("seed");
    refuses(other, {"seed is 3 in the file, none in this run"});
    // As long as not all of them are known, those that are.
    Journal journal(path, {});
    journal.check(other);
    expect_error([&] { journal.check({{"model", "other"}}); }, {"\"judge\"", "\"other\""});
    EXPECT_EQ(read_file(path), before);
}

TEST(Journal, ARetryMayHaveAnotherContextAndPolicy) {
    const TemporaryFolder folder;
    const fs::path path = folder.path() / "out.jsonl";
    grade(path, {item("a")});
    Settings longer = settings;
    longer["context"] = 8192;
    longer["too_long"] = "truncate-middle";
    EXPECT_EQ(grade(path, {item("a"), item("b")}, {.retry_unscored = true}, longer), Ids{"b"});
    EXPECT_EQ(grade(path, {item("a"), item("b")}, {}, longer), Ids{});
    expect_error([&] { grade(path, {}); }, {"context is 8192 in the file, 4096 in this run",
                                            "--retry unscored keeps the grades"});
    longer["seed"] = 4;
    expect_error([&] { grade(path, {}, {.retry_unscored = true}, longer); }, {"seed"});
}

TEST(Journal, LeavesOtherFilesAlone) {
    const TemporaryFolder folder;
    const fs::path path = folder.path() / "out.jsonl";
    const std::string header = R"({"assay":{"journal":1}})"
                               "\n";
    const std::vector<std::pair<std::string, std::string>> cases{
        {"text", "not written by assay"},
        {"[1]\n", "not written by assay"},
        {"{\"id\":1}", "not written by assay"},
        {"{\"assay\":3}\n", "not written by assay"},
        {"\n", "not written by assay"},
        {"{\"assay\":{\"journal\":2}}\n", "journal: 2 in the file, 1"},
        {header + "nonsense\n{}\n", "line 2"},
        {header + "{\"score\":3}\n", "line 2"},
        {header + "\n", "line 2"}};
    for (const auto& [content, what] : cases) {
        folder.write("out.jsonl", content);
        expect_error([&] { Journal(path, {}); }, {"out.jsonl", what});
        EXPECT_EQ(read_file(path), content);
    }
    expect_error([&] { Journal(folder.path(), {}); }, {folder.path(), "directory"});
    expect_error([&] { Journal(folder.path() / "no" / "out", {}); }, {"No such file"});
}

TEST(Journal, HasOneWriter) {
    const TemporaryFolder folder;
    const fs::path path = folder.path() / "out.jsonl";
    {
        const Journal journal(path, {});
        for (const bool replace : {false, true})
            expect_error([&] { Journal(path, {.replace = replace}); },
                         {"out.jsonl", "another run"});
    }
    EXPECT_EQ(grade(path, {item("a")}), Ids{"a"});
}

// Files of this process may grow no further than this.
class FileLimit {
public:
    explicit FileLimit(rlim_t bytes) {
        ::getrlimit(RLIMIT_FSIZE, &before_);
        rlimit limit = before_;
        limit.rlim_cur = bytes;
        ::setrlimit(RLIMIT_FSIZE, &limit);
        handler_ = std::signal(SIGXFSZ, SIG_IGN);
    }
    FileLimit(const FileLimit&) = delete;
    FileLimit& operator=(const FileLimit&) = delete;
    ~FileLimit() {
        ::setrlimit(RLIMIT_FSIZE, &before_);
        std::signal(SIGXFSZ, handler_);
    }

private:
    rlimit before_{};
    void (*handler_)(int) = nullptr;
};

TEST(Journal, AFullDiskLosesNothing) {
    const TemporaryFolder folder;
    const fs::path path = folder.path() / "out.jsonl";
    grade(path, {item("a")});
    const std::string before = read_file(path);
    {
        const FileLimit limit(before.size() + 10);
        expect_error([&] { grade(path, {item("a"), item("b")}); }, {"out.jsonl", "too large"});
    }
    EXPECT_EQ(read_file(path), before);
    EXPECT_EQ(grade(path, {item("a"), item("b")}), Ids{"b"});
    expect_error([] { grade("/dev/full", {item("a")}); }, {"/dev/full", "No space left"});
    EXPECT_EQ(grade("/dev/null", {item("a")}), Ids{"a"});
}

}  // namespace
}  // namespace assay::test
