// What was measured to be the best way to compute a product: kept, found again, and gone by.
#include "runtime/ops/tuning.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "runtime/ops/tiling.h"
#include "tests/model/test_files.h"
#include "tests/support/tensors.h"

namespace assay {
namespace {

using ops::AttentionPath;
using ops::Cut;
using ops::MatmulPath;
using ops::Tuning;

// A GPU that does not exist.
DeviceInfo some_gpu() {
    DeviceInfo gpu;
    gpu.name = "Some GPU";
    gpu.driver = "some driver 1.0";
    gpu.subgroup_size = 32;
    gpu.max_workgroup_invocations = 1024;
    gpu.shared_memory_bytes = 48 << 10;
    gpu.matrix_shapes.push_back({16, 16, 16, "f16", "f32"});
    gpu.matrix_shapes.push_back({16, 16, 32, "s8", "s32"});
    gpu.matrix_steps = {{16, 16, 16, 0}, {32, 32, 16, 128}, {32, 64, 16, 256}};
    gpu.most_matrix_side = 1024;
    gpu.tensor_loads = true;
    for (const Tier tier : {Tier::dot, Tier::coopmat, Tier::coopmat_s8, Tier::coopmat2})
        gpu.tiers.at(static_cast<std::size_t>(tier)).on = true;
    return gpu;
}

Tuning some_tuning() {
    return {
        .date = "2024-05-01T12:00:00Z",
        .choices =
            {{{Rows::all, Format::q4_0, 1, true}, {MatmulPath::skinny, {4, 32}}},
             {{Rows::grouped, Format::q4_k, 7, false}, {MatmulPath::coopmat, {64, 64, 32, 32, 2}}},
             {{Rows::all, Format::q8_0, 7, true}, {MatmulPath::coopmat2, {128, 256, 64, 256}}},
             {{Rows::all, Format::f32, 7, false}, {MatmulPath::tiled, {}}},
             {{Rows::all, Format::q4_0, 1, true, true}, {MatmulPath::dot, {}}},
             {{Rows::all, Format::q4_0, 7, true, true}, {MatmulPath::dot, {128, 128, 32, 64, 1}}}},
        .attention = {{{Cache::f16, 128, false}, {AttentionPath::cooperative, 16, 256}},
                      {{Cache::q8_0, 96, true}, {AttentionPath::coopmat, 32, 1024}}},
        .tried = {{Rows::all, Format::q4_0}, {Rows::grouped, Format::q4_k, true}}};
}

// The test's device goes by a tuning of one choice.
class Tuned {
public:
    Tuned(const ops::ProductClass& c, const Cut& cut) {
        ops::set_tuning(test::device(), {.date = "", .choices = {{c, cut}}});
    }
    ~Tuned() { ops::set_tuning(test::device(), {}); }
    Tuned(const Tuned&) = delete;
    Tuned& operator=(const Tuned&) = delete;
};

}  // namespace

TEST(Tuning, IsFoundAgain) {
    const test::TemporaryFolder folder;
    const DeviceInfo gpu = some_gpu();
    const auto file = ops::tuning_file(gpu, folder.path() / "new");
    EXPECT_EQ(test::error_of([&] { ops::read_tuning(gpu, file); }),
              file.string() + ": it cannot be read");
    ops::write_tuning(some_tuning(), gpu, file);
    EXPECT_EQ(ops::read_tuning(gpu, file), some_tuning());
}

TEST(Tuning, IsOfOneDriver) {
    DeviceInfo gpu = some_gpu(), newer = gpu, other = gpu;
    newer.driver = "some driver 1.1";
    other.name = "Some GP";
    const auto file = ops::tuning_file(gpu, "x");
    EXPECT_EQ(file, ops::tuning_file(some_gpu(), "x"));
    EXPECT_NE(file, ops::tuning_file(newer, "x"));
    EXPECT_NE(file, ops::tuning_file(other, "x"));
}

TEST(Tuning, BrokenFilesAreNamed) {
    const test::TemporaryFolder folder;
    const DeviceInfo gpu = some_gpu();
    const auto whole = [](const std::string& choice) {
        return R"({"schema": 1, "date": "", "choices": [)" + choice + "]}";
    };
    const auto choice = [&](const std::string& format, const std::string& rows,
                            const std::string& path, const std::string& numbers) {
        return whole(R"({"of": "all", "format": ")" + format + R"(", "most_rows": )" + rows +
                     R"(, "wide": false, "path": ")" + path + R"(", "numbers": )" + numbers + "}");
    };
    const auto good = folder.write("good", choice("q4_0", "4", "skinny", "[4, 8]"));
    EXPECT_EQ(ops::read_tuning(gpu, good).size(), 1u);  // without "attention", as older ones
    const auto attention = [](const std::string& cache, const std::string& path,
                              const std::string& numbers) {
        return R"({"schema": 1, "date": "", "choices": [], "attention": [{"cache": ")" + cache +
               R"(", "head_dim": 128, "prompt": true, "path": ")" + path + R"(", )" + numbers +
               "}]}";
    };
    const std::pair<std::string, const char*> broken[] = {
        {attention("q9_0", "direct", R"("width": 0, "split_keys": 512)"), "q9_0"},
        {attention("f16", "fast", R"("width": 0, "split_keys": 512)"), "fast"},
        {attention("f16", "direct", R"("width": 0)"), "split_keys"},
        {attention("f16", "automatic", R"("width": 0, "split_keys": 512)"), "automatic(512)"},
        {attention("f16", "direct", R"("width": 0, "split_keys": 520)"),
         "direct(520) does not fit"},
        {attention("f16", "direct", R"("width": 0, "split_keys": 0)"), "direct(0) does not fit"},
        {attention("f16", "direct", R"("width": 0, "split_keys": 4294967280)"),
         "direct(4294967280"},
        {attention("f16", "cooperative", R"("width": 12, "split_keys": 512)"), "cooperative(12,"},
        {attention("f16", "cooperative", R"("width": 64, "split_keys": 512)"), "cooperative(64,"},
        {attention("f16", "coopmat", R"("width": 0, "split_keys": 512)"), "coopmat(512)"},
        {attention("f16", "coopmat", R"("width": 24, "split_keys": 512)"), "coopmat(24,512)"},
        {attention("f16", "coopmat", R"("width": 128, "split_keys": 512)"), "coopmat(128,512)"},
        {attention("f32", "coopmat", R"("width": 64, "split_keys": 512)"), "coopmat(64,512)"},
        {R"({"schema": 1, "date": "", "choices": [], "tried": [{"of": "all", "format": "q9"}]})",
         "q9"},
        {R"({"schema": 1, "date": "", "choices": [], "tried": [{"of": "some", "format": "f16"}]})",
         "some"},
        {"", "parse error"},
        {whole("").substr(0, 20), "parse error"},
        {R"({"schema": 2, "date": "", "choices": []})", "schema 2, 1 expected"},
        {R"({"schema": 1, "choices": []})", "date"},
        {choice("q9_0", "4", "skinny", "[4, 8]"), "q9_0"},
        {choice("q4_0", "5", "skinny", "[4, 8]"), "at most 5 rows"},
        {choice("q4_0", "4", "fast", "[4, 8]"), "fast"},
        {choice("q4_0", "4", "automatic", "[]"), "automatic does not fit"},
        {choice("q4_0", "4", "skinny", "[4]"), "1 numbers for skinny, 2 expected"},
        {choice("q4_0", "4", "skinny", "[4, 0]"), "skinny(4,0) does not fit Some GPU"},
        {choice("q4_0", "4", "skinny", "[17, 8]"), "skinny(17,8)"},
        {choice("q4_0", "4", "skinny", "[4, 4294967295]"), "skinny(4,4294967295)"},
        {choice("q4_0", "4", "coopmat", "[64, 64, 0, 32, 2]"), "coopmat(64,64,0,32,2)"},
        {choice("q4_0", "4", "coopmat", "[64, 64, 24, 32, 2]"), "coopmat(64,64,24,32,2)"},
        {choice("iq3_s", "4", "coopmat2", "[64, 128, 64, 256]"), "coopmat2(64,128,64,256)"},
        {choice("q4_0", "4", "coopmat2", "[64, 128, 64]"), "3 numbers for coopmat2, 4 expected"},
        {choice("q4_0", "4", "coopmat2", "[64, 128, 64, 64]"), "coopmat2(64,128,64,64)"},
        {choice("q4_0", "4", "coopmat2", "[64, 64, 64, 256]"), "coopmat2(64,64,64,256)"},
        {choice("q4_0", "4", "coopmat2", "[64, 128, 0, 256]"), "coopmat2(64,128,0,256)"},
        {choice("q4_0", "4", "coopmat2", "[4294967264, 128, 64, 256]"), "does not fit Some GPU"},
        {choice("q4_0", "4", "direct", "[4, 3]"), "direct(4,3)"},
        {choice("q4_0", "4", "dot", "[]"), "dot does not fit"},  // x in bytes was not asked for
        {choice("q4_0", "4", "dot", "[4, 3]"), "2 numbers for dot, 5 expected"},
        {choice("q4_0", "4", "dot", "[64, 64, 8, 32, 1]"), "dot(64,64,8,32,1)"},
    };
    for (const auto& [text, named] : broken) {
        const auto file = folder.write("broken", text);
        test::expect_error([&] { ops::read_tuning(gpu, file); }, {file.string(), named});
    }
}

TEST(Tuning, ClassesMeet) {
    using ops::product_class;
    EXPECT_EQ(text(product_class(Rows::all, Format::q4_0, 1, 8192)), "narrow q4_0, 1 row");
    EXPECT_EQ(text(product_class(Rows::all, Format::q4_0, 2, 8193)), "wide q4_0, 2 to 4 rows");
    EXPECT_EQ(text(product_class(Rows::grouped, Format::f16, 64, 9999)),
              "grouped f16, 33 to 64 rows");
    EXPECT_EQ(text(product_class(Rows::all, Format::f16, 257, 1)), "narrow f16, 257 rows or more");
    EXPECT_EQ(text(product_class(Rows::all, Format::q4_0, 9, 1, true)),
              "narrow q4_0 by int8, 9 to 16 rows");
    EXPECT_EQ(product_class(Rows::all, Format::f16, 257, 1),
              product_class(Rows::all, Format::f16, ~0u, 9));
}

// What is tried fits the device, and no two make the same kernel.
TEST(Tuning, CutsToTryFit) {
    const DeviceInfo gpu = some_gpu();
    for (const std::uint32_t rows : {1u, 4u, 8u, 16u, 32u, 64u, 256u, 512u})
        for (const Format format : {Format::q4_0, Format::f32}) {
            const auto cuts = ops::cuts_to_try(gpu, format, rows);
            EXPECT_GE(cuts.size(), format == Format::f32 && rows > 64 ? 1u : 2u) << rows;
            EXPECT_EQ(std::ranges::count(cuts, MatmulPath::coopmat2, &Cut::path) > 0,
                      format != Format::f32 && rows > 16)
                << rows;
            std::vector<std::pair<MatmulPath, Constants>> kernels;
            for (const Cut& cut : cuts) {
                EXPECT_TRUE(ops::fits(gpu, cut, rows)) << text(cut);
                EXPECT_TRUE(cut.path != MatmulPath::coopmat || (format != Format::f32 && rows > 1));
                const auto t = ops::tiling(gpu, cut, format, Rows::all, rows);
                EXPECT_LE(t.kernel.constants.values[0], gpu.max_workgroup_invocations) << text(cut);
                const std::pair kernel{cut.path, t.kernel.constants};
                EXPECT_EQ(std::ranges::count(kernels, kernel), 0) << text(cut) << ", " << rows;
                kernels.push_back(kernel);
            }
        }
}

// What was measured stays known where a tier is off for a run, and is not gone by.
TEST(Tuning, IsKnownWithoutItsTiers) {
    const test::TemporaryFolder folder;
    DeviceInfo gpu = some_gpu();
    const auto file = ops::tuning_file(gpu, folder.path());
    ops::write_tuning(some_tuning(), gpu, file);
    gpu.tiers = {};
    EXPECT_EQ(ops::read_tuning(gpu, file), some_tuning());

    const ops::AttentionClass prompts{Cache::f16, 128, true};
    const ops::ProductClass narrow = ops::product_class(Rows::all, Format::q4_0, 64, 64);
    Device device(DeviceOptions{.disabled = {Tier::coopmat}});
    ops::set_tuning(device, {.date = "",
                             .choices = {{narrow, {MatmulPath::coopmat, {16, 16, 8, 16, 1}}}},
                             .attention = {{prompts, {AttentionPath::coopmat, 16, 512}}}});
    EXPECT_FALSE(ops::measured_cut(device, narrow));
    EXPECT_FALSE(ops::measured_cut(device, prompts));
}

// What is tried for attention is none of it twice; matrices are for halves.
TEST(Tuning, AttentionToTryFits) {
    const DeviceInfo gpu = some_gpu();
    for (const Cache cache : {Cache::f32, Cache::f16, Cache::q8_0})
        for (const std::uint32_t head_dim : {20u, 64u, 128u, 256u})
            for (const bool prompt : {false, true}) {
                const ops::AttentionClass c{cache, head_dim, prompt};
                const auto cuts = ops::cuts_to_try(gpu, c);
                for (const ops::AttentionCut& cut : cuts) {
                    EXPECT_TRUE(ops::fits(gpu, cut, c)) << text(cut) << ", " << text(c);
                    EXPECT_EQ(std::ranges::count(cuts, cut), 1) << text(cut);
                }
                const auto by_matrices = [](const ops::AttentionCut& cut) {
                    return cut.path == AttentionPath::coopmat;
                };
                EXPECT_EQ(std::ranges::any_of(cuts, by_matrices),
                          cache != Cache::f32 && head_dim != 20)
                    << text(c);
            }
    DeviceInfo without = gpu;
    without.matrix_shapes.clear();
    without.tiers = {};
    EXPECT_FALSE(ops::cuts_to_try(without, {Cache::f16, 128, false}).empty());
    EXPECT_EQ(text(ops::AttentionClass{Cache::f16, 128, true}), "attention f16 128, prompts");
}

TEST(Tuning, CutsToTryOfProductsOfBytesAreOfThatPath) {
    DeviceInfo gpu = some_gpu();
    for (const std::uint32_t rows : {1u, 16u, 512u}) {
        const auto cuts = ops::cuts_to_try(gpu, Format::q6_k, rows, true);
        EXPECT_EQ(cuts.front(), (Cut{MatmulPath::dot, {}}));
        EXPECT_EQ(cuts.size() > 2, rows > 1);
        for (const Cut& cut : cuts) {
            EXPECT_EQ(cut.path, MatmulPath::dot);
            EXPECT_TRUE(ops::fits(gpu, cut, rows)) << text(cut);
        }
    }
    gpu.tiers.at(static_cast<std::size_t>(Tier::coopmat_s8)).on = false;
    EXPECT_EQ(ops::cuts_to_try(gpu, Format::q6_k, 512, true).size(), 1u);
}

// A choice decides the products of its class alone, whose answers are right, and none of those that
// are to be batch-invariant.
TEST(Tuning, IsGoneBy) {
    constexpr std::uint32_t out_dim = 100, in_dim = 256;
    const auto file = [&] {
        test::Random random(3);
        return test::random_weight(Format::q4_0, out_dim, in_dim, random);
    }();
    test::Random random(4);
    const Tuned tuned({Rows::all, Format::q4_0, 2, false}, {MatmulPath::skinny, {3, 5}});
    for (const bool invariant : {false, true})
        for (const std::uint32_t rows : {4u, 5u, 8u, 9u}) {
            Stream s(test::device(),
                     {.profile = true, .guard = true, .batch_invariant = invariant});
            const test::DeviceWeight w(s, file);
            s.wait();
            s.clear_profile();
            const auto x = random.normals(std::size_t{rows} * in_dim);
            const auto y =
                test::download(s, ops::matmul(s, w, test::upload(s, x, {rows, in_dim, 1})));
            s.wait();
            const std::string what =
                std::to_string(rows) + (invariant ? " rows, invariant" : " rows");
            test::expect_close(y, reference::matmul(file.values(), x, in_dim, {}),
                               (4 + std::sqrt(in_dim)) * test::rounding, what);
            const ProfileEvent& ran = s.profile().back();
            const bool in_class = rows == 5 || rows == 8;
            if (in_class && !invariant) {
                EXPECT_TRUE(ran.kernel.starts_with("skinny")) << what << ": " << ran.kernel;
                EXPECT_EQ(ran.constants.values[0], 16 * 5u) << what;
                EXPECT_EQ(ran.constants.values[1], 3u)
                    << what;  // tiles of 3 rows: 3 + 2, 3 + 3 + 2
            } else if (test::device().info().is_cpu) {
                EXPECT_TRUE(ran.kernel.starts_with("direct")) << what << ": " << ran.kernel;
            }
        }
}

}  // namespace assay
