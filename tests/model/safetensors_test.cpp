#include "model/formats/safetensors.h"

#include "tests/model/test_files.h"

namespace assay {
namespace {

using test::bytes_of;
using test::expect_error;

std::string file_of(std::string_view header, std::size_t data_bytes) {
    return bytes_of(std::uint64_t{header.size()}) + std::string(header) +
           std::string(data_bytes, 'x');
}

// What `read_safetensors` makes of a file with this content; the mapping stays with the caller.
struct Opened {
    test::TemporaryFolder folder;
    MappedFile file;
    FileTensors content;

    explicit Opened(std::string_view bytes)
        : file(folder.write("model.safetensors", bytes)), content(read_safetensors(file)) {}
};

constexpr std::string_view valid_header =
    R"({"__metadata__":{"format":"pt"},)"
    R"("b":{"dtype":"BF16","shape":[2,3],"data_offsets":[4,16]},)"
    R"("a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
    R"("c":{"dtype":"I64","shape":[1],"data_offsets":[16,24]}})";

TEST(Safetensors, ListsTensorsInTheOrderOfTheirBytes) {
    const Opened opened(file_of(valid_header, 24));
    const auto& [tensors, unsupported] = opened.content;
    ASSERT_EQ(tensors.size(), 2u);
    EXPECT_EQ(tensors[0].name, "a");
    EXPECT_EQ(tensors[0].rows(), 1u);
    EXPECT_EQ(tensors[0].columns(), 1u);
    EXPECT_EQ(tensors[1].name, "b");
    EXPECT_EQ(tensors[1].format, Format::bf16);
    EXPECT_EQ(tensors[1].shape, (std::vector<std::uint64_t>{2, 3}));
    EXPECT_EQ(tensors[1].rows(), 2u);
    EXPECT_EQ(tensors[1].columns(), 3u);
    EXPECT_EQ(tensors[1].data.size(), 12u);
    EXPECT_EQ(tensors[1].data.data(), tensors[0].data.data() + 4);
    ASSERT_EQ(unsupported.size(), 1u);
    EXPECT_EQ(unsupported[0].name, "c");
    EXPECT_EQ(unsupported[0].type, "I64");
}

TEST(Safetensors, EveryTruncationIsAnError) {
    const std::string whole = file_of(valid_header, 24);
    for (std::size_t length = 0; length < whole.size(); ++length)
        expect_error([&] { Opened opened(whole.substr(0, length)); }, {"model.safetensors: "});
}

TEST(Safetensors, NoChangedByteCrashes) {
    const std::string whole = file_of(valid_header, 24);
    for (std::size_t at = 0; at < 8 + valid_header.size(); ++at)
        for (const char value : {'\0', '\xff', '0', '9', '"', '['}) {
            std::string changed = whole;
            changed[at] = value;
            test::error_of([&] { Opened opened(changed); });  // an Error or a valid file
        }
}

struct Corruption {
    const char* name;
    std::string header;
    std::size_t data_bytes;
    std::vector<std::string> in_error;
};

std::string one(std::string_view dtype, std::string_view shape, std::string_view offsets) {
    return R"({"w":{"dtype":")" + std::string(dtype) + R"(","shape":)" + std::string(shape) +
           R"(,"data_offsets":)" + std::string(offsets) + "}}";
}

std::string two(std::string_view first, std::string_view second) {
    return R"({"v":{"dtype":"F32","shape":[2],"data_offsets":)" + std::string(first) +
           R"(},"w":{"dtype":"F32","shape":[2],"data_offsets":)" + std::string(second) + "}}";
}

TEST(Safetensors, CorruptionsAreNamed) {
    const Corruption corruptions[] = {
        {"not JSON", "{\"w\":", 0, {"header: not JSON"}},
        {"not UTF-8", "{\"\xff\":1}", 0, {"header: not JSON", "UTF-8"}},
        {"an array", "[]", 0, {"array instead of an object"}},
        {"deep", std::string(5000, '[') + std::string(5000, ']'), 0, {"deeper than 64"}},
        {"deep in a tensor", R"({"w":)" + std::string(90000, '['), 0, {"deeper than 64"}},
        {"same name", R"({"w":{},"w":{}})", 0, {"w is there twice"}},
        {"same field", R"({"w":{"shape":[1],"shape":[2]}})", 0, {"shape is there twice"}},
        {"entry is a number", R"({"w":1})", 4, {"w: is no object but number"}},
        {"no dtype", R"({"w":{"shape":[1],"data_offsets":[0,4]}})", 4, {"w: has no dtype"}},
        {"no shape", R"({"w":{"dtype":"F32","data_offsets":[0,4]}})", 4, {"w: has no shape"}},
        {"no offsets", R"({"w":{"dtype":"F32","shape":[1]}})", 4, {"w: has no data_offsets"}},
        {"dtype is a number", R"({"w":{"dtype":1}})", 4, {"w: dtype is no string but number"}},
        {"shape is a number", one("F32", "1", "[0,4]"), 4, {"w: shape is no list but number"}},
        {"negative shape", one("F32", "[-1]", "[0,4]"), 4, {"w: shape: -1 is not"}},
        {"fractional shape", one("F32", "[1.5]", "[0,4]"), 4, {"w: shape: 1.5 is not"}},
        {"shape above 64 bits", one("F32", "[18446744073709551616]", "[0,4]"), 4, {"w: shape: "}},
        {"one offset", one("F32", "[1]", "[0]"), 4, {"w: data_offsets has 1 numbers"}},
        {"many dimensions", one("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), 4, {"9 numbers", "8"}},
        {"backwards", one("F32", "[1]", "[4,0]"), 4, {"w: begins at byte 4", "ends at 0"}},
        {"beyond the file", one("F32", "[2]", "[0,8]"), 4, {"w: ends at byte 8", "holds 4"}},
        {"huge end", one("F32", "[1]", "[0,18446744073709551615]"), 4, {"18446744073709551615"}},
        {"hole before", one("F32", "[1]", "[4,8]"), 8, {"w: begins at byte 4", "ends at 0"}},
        {"hole between", two("[0,8]", "[12,20]"), 20, {"w: begins at byte 12", "ends at 8"}},
        {"overlap", two("[0,8]", "[4,12]"), 12, {"w: begins at byte 4", "ends at 8"}},
        {"unused end", one("F32", "[1]", "[0,4]"), 9, {"end at byte 4", "holds 9"}},
        {"too few bytes", one("F32", "[2,3]", "[0,20]"), 20, {"w: 20 bytes", "2 x 3", "24"}},
        {"empty dimension", one("F32", "[0,3]", "[0,0]"), 0, {"w: shape 0 x 3 has an empty"}},
        {"product overflows",
         one("F32", "[4294967296,4294967296]", "[0,0]"),
         0,
         {"w: shape 4294967296 x 4294967296 exceeds 64 bits"}},
        {"bytes overflow", one("F32", "[4611686018427387904]", "[0,0]"), 0, {"exceeds 64 bits"}},
        {"line break in a name", R"({"a\nb":1})", 0, {"a\\x0ab: is no object"}},
    };
    for (const Corruption& corruption : corruptions) {
        SCOPED_TRACE(corruption.name);
        expect_error([&] { Opened opened(file_of(corruption.header, corruption.data_bytes)); },
                     corruption.in_error);
    }
}

TEST(Safetensors, LengthOfTheHeaderIsBounded) {
    expect_error([] { Opened opened(""); }, {"0 bytes", "at least 8"});
    for (const std::uint64_t length : {std::uint64_t{1}, std::uint64_t{100'000'001}, UINT64_MAX})
        expect_error([&] { Opened opened(bytes_of(length)); },
                     {"header of " + std::to_string(length), "at most 0"});
}

TEST(MappedFile, ErrorsNameThePathAndTheReason) {
    const test::TemporaryFolder folder;
    expect_error([&] { MappedFile(folder.path() / "absent"); }, {"absent: No such file"});
    expect_error([&] { MappedFile file(folder.path()); }, {"Is a directory"});
    EXPECT_TRUE(MappedFile(folder.write("empty", "")).bytes().empty());
}

TEST(MappedFile, MovesAndReleases) {
    const test::TemporaryFolder folder;
    const std::string content(100'000, 'y');
    MappedFile first(folder.write("first", content));
    MappedFile second(folder.write("second", "2"));
    second = std::move(first);
    will_need(second.bytes());
    release(second.bytes());
    EXPECT_EQ(second.text(), content);
}

}  // namespace
}  // namespace assay
