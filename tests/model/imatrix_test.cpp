#include "model/formats/imatrix.h"

#include <gtest/gtest.h>

#include "tests/model/test_files.h"

namespace assay {
namespace {

using test::bytes_of;

ImportanceFile example() {
    ImportanceFile file;
    file.tensors["blk.0.attn_q.weight"] = {3, {1, 4, 9}, {2}};
    file.tensors["blk.0.ffn_up_exps.weight"] = {2, {1, 2, 3, 4}, {4, 0}};
    file.datasets = {"prompts.jsonl"};
    file.chunks = 7;
    file.chunk_tokens = 512;
    return file;
}

TEST(Importance, IsReadAsWritten) {
    const test::TemporaryFolder folder;
    write_importance(folder.path() / "imatrix.gguf", example());
    const ImportanceFile read = read_importance(folder.path() / "imatrix.gguf");
    ASSERT_EQ(read.tensors.size(), 2u);
    for (const auto& [name, sums] : example().tensors) {
        EXPECT_EQ(read.tensors.at(name).columns, sums.columns) << name;
        EXPECT_EQ(read.tensors.at(name).squares, sums.squares) << name;
        EXPECT_EQ(read.tensors.at(name).counts, sums.counts) << name;
    }
    EXPECT_EQ(read.datasets, example().datasets);
    EXPECT_EQ(read.chunks, 7u);
    EXPECT_EQ(read.chunk_tokens, 512u);
}

TEST(Importance, IsTheMeanSquareAndOneWhereNothingWasMet) {
    const auto tensors = example().tensors;
    EXPECT_EQ(importance_of(tensors.at("blk.0.attn_q.weight")), (std::vector{0.5f, 2.0f, 4.5f}));
    EXPECT_EQ(importance_of(tensors.at("blk.0.ffn_up_exps.weight")),
              (std::vector{0.25f, 0.5f, 1.0f, 1.0f}));
}

std::string text(const std::string& value) {
    return bytes_of(static_cast<std::int32_t>(value.size())) + value;
}

std::string older_file() {
    return bytes_of(1) + text("blk.0.attn_q.weight") + bytes_of(2) + bytes_of(3) + bytes_of(2.0f) +
           bytes_of(8.0f) + bytes_of(18.0f) + bytes_of(5) + text("wiki.txt");
}

TEST(Importance, OfTheOlderKindIsReadToo) {
    const test::TemporaryFolder folder;
    const ImportanceFile read = read_importance(folder.write("imatrix.dat", older_file()));
    EXPECT_EQ(importance_of(read.tensors.at("blk.0.attn_q.weight")),
              (std::vector{1.0f, 4.0f, 9.0f}));
    EXPECT_EQ(read.chunks, 5u);
    EXPECT_EQ(read.datasets, std::vector<std::string>{"wiki.txt"});
}

TEST(Importance, BrokenFilesAreOneError) {
    const test::TemporaryFolder folder;
    const std::string whole = older_file();
    const std::size_t tensors_end = whole.size() - 4 - text("wiki.txt").size();
    for (std::size_t length = 0; length < whole.size(); ++length) {
        if (length == tensors_end || length == tensors_end + 4) continue;  // complete files
        const auto file = folder.write("imatrix.dat", whole.substr(0, length));
        EXPECT_NE(test::error_of([&] { read_importance(file); }), "") << length;
    }
    ImportanceFile bad = example();
    bad.tensors["blk.0.attn_q.weight"].squares[1] = -1;
    write_importance(folder.path() / "negative", bad);
    test::expect_error([&] { read_importance(folder.path() / "negative"); },
                       {"blk.0.attn_q.weight", "negative"});
    const auto none = folder.write("none.dat", bytes_of(0));
    test::expect_error([&] { read_importance(none); }, {"no tensor"});
}

}  // namespace
}  // namespace assay
