#include "model/formats/gguf.h"

#include "tests/model/gguf_builder.h"

namespace assay {
namespace {

using test::bytes_of;
using test::expect_error;
using test::GgufBuilder;

struct Opened {
    test::TemporaryFolder folder;
    MappedFile file;
    Gguf content;

    explicit Opened(const std::string& bytes)
        : file(folder.write("model.gguf", bytes)), content(read_gguf(file)) {}
};

// f is 2 rows of 3 floats, q one row of 64 in two blocks, k of a type without kernels.
GgufBuilder small_file() {
    GgufBuilder file;
    file.add("general.architecture", "llama");
    file.add("count", std::uint32_t{7});
    file.pair("wide", GgufBuilder::u64, bytes_of(std::uint64_t{1} << 40));
    file.pair("negative", GgufBuilder::i8, bytes_of(std::int8_t{-3}));
    file.pair("positive", GgufBuilder::i16, bytes_of(std::int16_t{3}));
    file.add("float", 0.5f);
    file.add("flag", true);
    file.add("strings", std::vector<std::string>{"", "a", "bc"});
    file.add("floats", std::vector<float>{1, 2});
    file.add("ints", std::vector<std::int32_t>{-1, 1});
    file.add_array("flags", GgufBuilder::boolean, 2, std::string("\1\0", 2));
    file.add_tensor("f", {3, 2}, 0, std::string(24, 'f'));
    file.add_tensor("q", {64}, 8, std::string(68, 'q'));
    file.add_tensor("k", {8}, 27, std::string(64, 'k'));
    file.add_tensor("last", {1}, 0, std::string(4, 'l'));
    return file;
}

TEST(Gguf, ReadsMetadataAndTensors) {
    for (const std::uint32_t version : {2u, 3u}) {
        GgufBuilder builder = small_file();
        builder.version = version;
        const Opened opened(builder.bytes());
        const auto& [metadata, tensors] = opened.content;
        EXPECT_EQ(metadata.size(), 11u);
        EXPECT_EQ(metadata.get<std::string>("general.architecture"), "llama");
        EXPECT_EQ(metadata.get<std::uint64_t>("count"), 7u);
        EXPECT_EQ(metadata.get<std::uint64_t>("wide"), std::uint64_t{1} << 40);
        EXPECT_EQ(metadata.get<std::uint64_t>("positive"), 3u);
        EXPECT_EQ(metadata.get<double>("float"), 0.5);
        EXPECT_EQ(metadata.get<bool>("flag"), true);
        EXPECT_EQ(metadata.get<std::vector<std::string>>("strings"),
                  (std::vector<std::string>{"", "a", "bc"}));
        EXPECT_EQ(metadata.get<std::vector<double>>("floats"), (std::vector<double>{1, 2}));
        EXPECT_EQ(metadata.get<std::vector<std::int64_t>>("ints"),
                  (std::vector<std::int64_t>{-1, 1}));
        EXPECT_EQ(metadata.find<bool>("absent"), std::nullopt);

        ASSERT_EQ(tensors.tensors.size(), 3u);
        EXPECT_EQ(tensors.tensors[0].shape, (std::vector<std::uint64_t>{2, 3}));
        EXPECT_EQ(tensors.tensors[0].data[23], std::byte{'f'});
        EXPECT_EQ(tensors.tensors[1].format, Format::q8_0);
        EXPECT_EQ(tensors.tensors[1].data.size(), 68u);
        EXPECT_EQ(tensors.tensors[1].data[0], std::byte{'q'});
        EXPECT_EQ(tensors.tensors[2].data[0], std::byte{'l'});
        ASSERT_EQ(tensors.unsupported.size(), 1u);
        EXPECT_EQ(tensors.unsupported[0].name, "k");
        EXPECT_EQ(tensors.unsupported[0].type, "I64");
    }
}

TEST(Gguf, GettersNameTheKeyAndBothTypes) {
    const Opened opened(small_file().bytes());
    const GgufMetadata& metadata = opened.content.metadata;
    expect_error([&] { metadata.get<bool>("absent"); }, {"model.gguf: absent: not in"});
    expect_error([&] { metadata.get<bool>("count"); }, {"count: whole number, expected boolean"});
    expect_error([&] { metadata.get<std::uint64_t>("negative"); },
                 {"negative: signed whole number, expected whole number"});
    expect_error([&] { metadata.get<std::string>("strings"); },
                 {"strings: array of strings, expected string"});
    expect_error([&] { metadata.get<std::vector<double>>("float"); },
                 {"float: float, expected array of floats"});
    expect_error([&] { metadata.get<std::uint64_t>("ints"); },
                 {"ints: array of signed whole numbers, expected whole number"});
}

TEST(Gguf, EveryTruncationIsAnError) {
    const std::string whole = small_file().bytes();
    for (std::size_t length = 0; length < whole.size(); ++length)
        expect_error([&] { Opened opened(whole.substr(0, length)); }, {"model.gguf: "});
}

TEST(Gguf, NoChangedByteCrashes) {
    const GgufBuilder builder = small_file();
    const std::string whole = builder.bytes();
    for (std::size_t at = 0; at < whole.size() - builder.data.size(); ++at)
        for (const char value : {'\0', '\1', '\x7f', '\x80', '\xff'}) {
            std::string changed = whole;
            changed[at] = value;
            test::error_of([&] { Opened opened(changed); });  // an Error or a valid file
        }
}

struct Corruption {
    const char* name;
    void (*corrupt)(GgufBuilder&);
    std::vector<std::string> in_error;
};

TEST(Gguf, CorruptionsAreNamed) {
    using B = GgufBuilder;
    const Corruption corruptions[] = {
        {"magic", [](B& b) { b.magic = "ggjt"; }, {"begins with \"ggjt\""}},
        {"version 1", [](B& b) { b.version = 1; }, {"version 1", "2 and 3"}},
        {"version 4", [](B& b) { b.version = 4; }, {"version 4", "2 and 3"}},
        {"big-endian", [](B& b) { b.version = 0x03000000; }, {"big-endian"}},
        {"many tensors", [](B& b) { b.extra_tensors = 1u << 20; }, {"tensor count: 1048580"}},
        {"most tensors", [](B& b) { b.extra_tensors = UINT64_MAX - 4; }, {"tensor count: "}},
        {"many pairs", [](B& b) { b.extra_pairs = 1u << 20; }, {"metadata count: 1048587"}},
        {"one pair more", [](B& b) { b.extra_pairs = 1; }, {"model.gguf: "}},
        {"same key", [](B& b) { b.add("count", 8u); }, {"count: is there twice"}},
        {"empty key", [](B& b) { b.add("", 8u); }, {"metadata key: 0 bytes long"}},
        {"long key", [](B& b) { b.add(std::string(65536, 'k'), 8u); }, {"key: 65536 bytes"}},
        {"value type", [](B& b) { b.pair("x", 13, ""); }, {"x: value type 13", "12"}},
        {"element type", [](B& b) { b.add_array("x", 99, 0, ""); }, {"x: value type 99"}},
        {"nested", [](B& b) { b.add_array("x", B::array, 1, ""); }, {"x: array of arrays"}},
        {"bool 2", [](B& b) { b.pair("x", B::boolean, "\2"); }, {"x: boolean of value 2"}},
        {"string beyond the file",
         [](B& b) { b.pair("x", B::string, bytes_of(UINT64_MAX)); },
         {"x: 18446744073709551615 bytes"}},
        {"array beyond the file",
         [](B& b) { b.add_array("x", B::u32, 1u << 20, ""); },
         {"x: elements: 1048576, the file has room for"}},
        {"strings beyond the file",
         [](B& b) { b.add_array("x", B::string, 1u << 20, ""); },
         {"x: elements: 1048576, the file has room for"}},
        {"huge array",
         [](B& b) { b.add_array("x", B::u8, UINT64_MAX, ""); },
         {"x: 18446744073709551615 elements, at most"}},
        {"alignment 24", [](B& b) { b.add("general.alignment", 24u); }, {"alignment: 24 is not"}},
        {"alignment 0", [](B& b) { b.add("general.alignment", 0u); }, {"alignment: 0 is not"}},
        {"alignment huge",
         [](B& b) { b.pair("general.alignment", B::u64, bytes_of(std::uint64_t{1} << 63)); },
         {"alignment: 9223372036854775808 is not"}},
        {"alignment text",
         [](B& b) { b.add("general.alignment", "32"); },
         {"general.alignment: string, expected whole number"}},
        {"stricter alignment",
         [](B& b) { b.add("general.alignment", 64u); },
         {"q: offset 32 is not a multiple of the alignment 64"}},
        {"same tensor", [](B& b) { b.tensors[1].name = "f"; }, {"f: is there twice"}},
        {"unnamed tensor", [](B& b) { b.tensors[1].name = ""; }, {"tensor name: 0 bytes"}},
        {"line break",
         [](B& b) {
             b.tensors[1] = {"a\nb", {0}, 0, 0};
         },
         {"a\\x0ab: shape 0"}},
        {"five dimensions",
         [](B& b) {
             b.tensors[0].dimensions = {1, 1, 1, 1, 1};
         },
         {"f: 5 dimensions, at most 4"}},
        {"empty dimension",
         [](B& b) {
             b.tensors[0].dimensions = {3, 0};
         },
         {"f: shape 0 x 3"}},
        {"overflow",
         [](B& b) {
             b.tensors[0].dimensions = {1ull << 32, 1ull << 32};
         },
         {"f: shape 4294967296 x 4294967296 exceeds 64 bits"}},
        {"bytes overflow",
         [](B& b) { b.tensors[0].dimensions = {1ull << 63}; },
         {"f: shape 9223372036854775808 exceeds"}},
        {"block",
         [](B& b) { b.tensors[1].dimensions = {48}; },
         {"q: shape 48 has rows of 48, q8_0 needs a multiple of 32"}},
        {"offset off alignment", [](B& b) { b.tensors[1].offset = 33; }, {"q: offset 33"}},
        {"offset beyond",
         [](B& b) { b.tensors[1].offset = 1u << 20; },
         {"q: 68 bytes from byte 1048576 of the data, the file holds 196"}},
        {"offset overflow",
         [](B& b) { b.tensors[1].offset = UINT64_MAX - 31; },
         {"q: 68 bytes from byte 18446744073709551584"}},
        {"end beyond",
         [](B& b) { b.tensors[3].dimensions = {2}; },
         {"last: 8 bytes from byte 192 of the data, the file holds 196"}},
        {"overlap", [](B& b) { b.tensors[1].offset = 0; }, {"shares bytes with"}},
    };
    for (const Corruption& corruption : corruptions) {
        SCOPED_TRACE(corruption.name);
        GgufBuilder builder = small_file();
        corruption.corrupt(builder);
        expect_error([&] { Opened opened(builder.bytes()); }, corruption.in_error);
    }
}

TEST(Gguf, TypesWithoutKernelsAreNamed) {
    GgufBuilder builder = small_file();
    builder.tensors[0].type = 4;    // removed from ggml
    builder.tensors[1].type = 999;  // not yet invented
    const Opened opened(builder.bytes());
    const auto& unsupported = opened.content.tensors.unsupported;
    ASSERT_EQ(unsupported.size(), 3u);
    EXPECT_EQ(unsupported[0].type, "number 4");
    EXPECT_EQ(unsupported[1].type, "number 999");
}

TEST(Gguf, OwnAlignmentIsUsed) {
    GgufBuilder builder;
    builder.alignment = 128;
    builder.add("general.alignment", 128u);
    builder.add_tensor("a", {1}, 0, "aaaa");
    builder.add_tensor("b", {1}, 0, "bbbb");
    const Opened opened(builder.bytes());
    EXPECT_EQ(builder.tensors[1].offset, 128u);
    EXPECT_EQ(opened.content.tensors.tensors[1].data[0], std::byte{'b'});
}

TEST(Gguf, FileWithoutTensorsMayEndAfterItsMetadata) {
    GgufBuilder builder;
    builder.alignment = 0;
    builder.add("general.architecture", "llama");
    EXPECT_TRUE(Opened(builder.bytes()).content.tensors.tensors.empty());
}

}  // namespace
}  // namespace assay
