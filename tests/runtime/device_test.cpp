#include "runtime/device.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "runtime/executables.h"
#include "runtime/vk/context.h"
#include "runtime/vk/features.h"
#include "tests/model/test_files.h"
#include "tests/support/tensors.h"

namespace assay {
namespace {

DeviceOptions selecting(const std::string& select) {
    DeviceOptions options;
    options.select = select;
    return options;
}

void gather_once(const DeviceOptions& options) {
    Device device(options);
    Stream s(device);
    const std::vector<float> x{1, 2};
    const std::vector<std::uint32_t> rows{1, 0};
    const auto y = test::download(
        s, ops::gather(s, test::upload(s, x, {2, 1, 1}), test::upload(s, rows, {2, 1, 1})));
    s.wait();
    EXPECT_EQ(y, (std::vector<float>{2, 1}));
}

// What a device keeps of the pipelines that it was used for.
std::vector<std::filesystem::path> lists_of_pipelines(const std::filesystem::path& folder) {
    std::vector<std::filesystem::path> files(std::filesystem::directory_iterator(folder), {});
    std::erase_if(files, [](const auto& file) { return file.extension() != ".txt"; });
    return files;
}

}  // namespace

TEST(Device, IsListedWithWhatItIs) {
    const auto devices = list_devices();
    ASSERT_FALSE(devices.empty());
    for (std::size_t i = 0; i < devices.size(); ++i) {
        EXPECT_EQ(devices[i].index, i);
        EXPECT_FALSE(devices[i].name.empty());
        EXPECT_TRUE(i == 0 || !devices[i - 1].missing.empty() <= !devices[i].missing.empty())
            << "usable ones come first";
    }
    EXPECT_TRUE(devices[0].missing.empty());
    EXPECT_GE(devices[0].subgroup_size, 1u);
    EXPECT_GE(devices[0].max_workgroup_invocations, 256u);
    EXPECT_GT(devices[0].memory_bytes, 0u);
    EXPECT_LE(devices[0].memory_free_bytes, devices[0].memory_bytes);
    EXPECT_EQ(devices[0].is_cpu, devices[0].kind == "CPU");
    EXPECT_TRUE(devices[0].api_version.starts_with("1."));
}

TEST(Device, TiersAreNamedAndSayWhyTheyAreOff) {
    for (std::size_t i = 0; i < tier_count; ++i) {
        EXPECT_EQ(tier_from_name(tier_names[i]), static_cast<Tier>(i));
        for (const DeviceInfo& device : list_devices())
            EXPECT_NE(device.tiers[i].on, !device.tiers[i].note.empty()) << tier_names[i];
    }
    EXPECT_EQ(tier_from_name("magic"), std::nullopt);
}

TEST(Device, GoesWithoutADisabledTier) {
    if (!test::device().info().tier(Tier::coopmat).on)
        GTEST_SKIP() << test::device().info().tier(Tier::coopmat).note;
    EXPECT_TRUE(test::device().has(Tier::coopmat))
        << test::device().info().tier(Tier::coopmat).note;
    DeviceOptions options;
    options.disabled = {Tier::coopmat};
    Device device(options);
    EXPECT_FALSE(device.has(Tier::coopmat));
    EXPECT_EQ(device.info().tier(Tier::coopmat).note, "switched off");
    EXPECT_FALSE(device.has(Tier::coopmat2));
    EXPECT_EQ(device.info().tier(Tier::coopmat_s8).note, "coopmat is off");
    options.disabled = {Tier::float16};
    Device without_halves(options);
    EXPECT_FALSE(without_halves.has(Tier::coopmat));
    EXPECT_EQ(without_halves.info().tier(Tier::coopmat).note, "float16 is off");
}

// On a GPU: lavapipe's subgroups are faster without.
TEST(Device, MatricesServeWhatTheyAreGoodFor) {
    DeviceInfo gpu;
    gpu.tiers[static_cast<std::size_t>(Tier::coopmat)].on = true;
    using ops::MatmulPath;
    EXPECT_EQ(ops::matmul_choice(gpu, Format::q4_0, 1).path, MatmulPath::skinny);
    EXPECT_EQ(ops::matmul_choice(gpu, Format::q4_0, 512).path, MatmulPath::coopmat);
    EXPECT_EQ(ops::matmul_choice(gpu, Format::f32, 512).path, MatmulPath::tiled);
    gpu.tiers[static_cast<std::size_t>(Tier::coopmat)].on = false;
    EXPECT_EQ(ops::matmul_choice(gpu, Format::q4_0, 512).path, MatmulPath::tiled);
    gpu.is_cpu = true;
    EXPECT_EQ(ops::matmul_choice(gpu, Format::q4_0, 512).path, MatmulPath::direct);
}

TEST(Device, BytesServeWhereTheyAreAskedFor) {
    DeviceInfo gpu;
    gpu.tiers[static_cast<std::size_t>(Tier::coopmat)].on = true;
    using ops::MatmulPath;
    for (const bool is_cpu : {false, true}) {
        gpu.is_cpu = is_cpu;
        for (const std::uint32_t rows : {1u, 512u}) {
            EXPECT_EQ(ops::matmul_choice(gpu, Format::q4_0, rows, true).path, MatmulPath::dot);
            EXPECT_NE(ops::matmul_choice(gpu, Format::q4_0, rows).path, MatmulPath::dot);
            EXPECT_EQ(ops::matmul_choice(gpu, Format::f16, rows, true).path,
                      ops::matmul_choice(gpu, Format::f16, rows).path);
        }
    }
}

TEST(Device, IsSelectedByIndexOrPartOfItsName) {
    const DeviceInfo first = list_devices().front();
    EXPECT_EQ(Device(selecting("0")).info().name, first.name);
    std::string part = first.name.substr(1, 4);
    std::ranges::transform(part, part.begin(),
                           [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    EXPECT_NE(Device(selecting(part)).info().name.find(first.name.substr(1, 4)), std::string::npos);
}

TEST(Device, ErrorListsTheDevicesThereAre) {
    for (const std::string select : {"nonsense", "99"}) {
        std::vector<std::string> parts{select};
        for (const DeviceInfo& device : list_devices()) parts.push_back(device.name);
        test::expect_error([&] { Device device(selecting(select)); }, parts);
    }
}

TEST(Device, IsFoundWithoutBeingOpened) {
    EXPECT_EQ(find_device("").name, Device().info().name);
    EXPECT_EQ(find_device("0").index, 0u);
    test::expect_error([] { find_device("nonsense"); }, {"nonsense"});
}

// Nothing but that there is a name and a width is known of what a driver tells.
TEST(Device, TellsOfExecutablesIfAskedTo) {
    bool tells = false;
    for (const bool asked : {false, true}) {
        Device device({.validation = true, .executable_statistics = asked});
        Stream s(device, {.profile = true});
        const std::vector<float> x{1, 2};
        const std::vector<std::uint32_t> rows{1, 0};
        ops::gather(s, test::upload(s, x, {2, 1, 1}), test::upload(s, rows, {2, 1, 1}));
        s.wait();
        ASSERT_EQ(s.profile().size(), 1u);
        const ProfileEvent& ran = s.profile()[0];
        EXPECT_TRUE(executables(device, "no kernel", {}).empty());
        const auto told = executables(device, ran.kernel, ran.constants);
        EXPECT_TRUE(asked || told.empty());
        tells = !told.empty();
        for (const Executable& executable : told) {
            EXPECT_FALSE(executable.name.empty());
            for (const ExecutableStatistic& statistic : executable.statistics)
                EXPECT_FALSE(statistic.name.empty());
        }
        EXPECT_EQ(device.take_validation_messages(), std::vector<std::string>{});
    }
    if (!tells) GTEST_SKIP() << "this driver tells nothing of executables";
}

TEST(Device, NamesTheFeaturesItLacks) {
    vk::Features features({});
    std::vector<std::string> all;
    for (const vk::RequiredFeature& feature : vk::required_features) all.emplace_back(feature.name);
    EXPECT_EQ(vk::missing_features(features), all);

    for (const vk::RequiredFeature& feature : vk::required_features) feature.of(features) = VK_TRUE;
    EXPECT_TRUE(vk::missing_features(features).empty());
    features.v12.scalarBlockLayout = VK_FALSE;
    features.v13.maintenance4 = VK_FALSE;
    EXPECT_EQ(vk::missing_features(features),
              (std::vector<std::string>{"scalarBlockLayout", "maintenance4"}));
}

TEST(Device, CountsItsMemory) {
    Device& device = test::device();
    const std::uint64_t before = device.allocated_bytes();
    {
        const Buffer buffer(device, 1 << 20, Memory::device, "megabyte");
        EXPECT_EQ(buffer.bytes(), 1u << 20);
        EXPECT_EQ(device.allocated_bytes(), before + (1 << 20));
    }
    EXPECT_EQ(device.allocated_bytes(), before);
    EXPECT_GE(device.peak_allocated_bytes(), before + (1 << 20));
}

TEST(Device, ErrorNamesTheBufferThatDoesNotFit) {
    Device device(selecting(""));  // without validation, which has its own opinion of such a size
    constexpr std::uint64_t bytes = std::uint64_t{1} << 46;
    test::expect_error([&] { Buffer(device, bytes, Memory::device, "half the library"); },
                       {"half the library", std::to_string(bytes)});
}

TEST(Device, KeepsCompiledPipelines) {
    const test::TemporaryFolder folder;
    DeviceOptions options;
    options.validation = true;
    options.pipeline_cache_folder = folder.path() / "cache";
    gather_once(options);
    ASSERT_TRUE(std::filesystem::exists(options.pipeline_cache_folder));
    std::vector<std::filesystem::path> files(
        std::filesystem::directory_iterator(options.pipeline_cache_folder), {});
    ASSERT_EQ(files.size(), 1u);

    gather_once(options);  // from the file
    std::ofstream(files[0], std::ios::binary) << "damaged";
    gather_once(options);
    EXPECT_GT(std::filesystem::file_size(files[0]), 7u) << "a damaged file is replaced";

    std::filesystem::remove_all(options.pipeline_cache_folder);
    std::ofstream(options.pipeline_cache_folder) << "a file in the folder's place";
    gather_once(options);
}

// Builds a pipeline by itself if it was used before for the same.
TEST(Device, BuildsWhatItWasUsedForBefore) {
    const test::TemporaryFolder folder;
    const auto options = [&](const std::string& purpose) {
        return DeviceOptions{
            .validation = true, .pipeline_cache_folder = folder.path(), .purpose = purpose};
    };
    const auto builds_gather = [&](const DeviceOptions& opened, std::chrono::seconds patience) {
        Device device(opened);
        const Constants constants = kernels::gather().specialize(64).constants;
        const auto end = std::chrono::steady_clock::now() + patience;
        bool built = false;
        do {
            built = device.context().pipelines().find("gather", constants) != nullptr;
            std::this_thread::yield();
        } while (!built && std::chrono::steady_clock::now() < end);
        EXPECT_EQ(device.compile_seconds(), 0);
        EXPECT_EQ(device.take_validation_messages(), std::vector<std::string>{});
        return built;
    };
    using namespace std::chrono_literals;
    EXPECT_FALSE(builds_gather(options("one model"), 0s));
    gather_once(options("one model"));
    EXPECT_TRUE(builds_gather(options("one model"), 60s));
    EXPECT_TRUE(builds_gather(options("one model"), 60s)) << "not using it forgets nothing";
    gather_once(options("one model"));

    const auto lists = lists_of_pipelines(folder.path());
    ASSERT_EQ(lists.size(), 1u);
    const std::string whole = test::read_file(lists[0]);
    std::string changed = whole;
    char& digit = changed.at(changed.size() - 2);  // the last, of a constant
    digit = digit == '1' ? '2' : '1';
    for (const std::string& damaged :
         {std::string("nonsense"), std::string(), whole.substr(whole.find('\n') + 1),
          whole.substr(0, whole.size() - 2), changed, whole + "0 77 1 2\n"}) {
        std::ofstream(lists[0]) << damaged;
        EXPECT_FALSE(builds_gather(options("one model"), 0s)) << damaged;
        gather_once(options("one model"));
        EXPECT_EQ(test::read_file(lists[0]), whole) << "a damaged one is replaced";
    }
}

// Several threads build what is expected while another uses the same: `tsan` sees them.
TEST(Device, IsUsedWhileItBuilds) {
    constexpr std::uint32_t most_rows = 6, out_dim = 32, in_dim = 32;
    const test::TemporaryFolder folder;
    test::Random random(4);
    const auto file = test::random_weight(Format::f32, out_dim, in_dim, random);
    const auto x = random.normals(most_rows * in_dim);
    std::vector<std::vector<float>> products[2];
    for (auto& all : products) {
        Device device({.pipeline_cache_folder = folder.path(), .purpose = "one model"});
        Stream s(device);
        const test::DeviceWeight w(s, file);
        for (std::uint32_t rows = 1; rows <= most_rows; ++rows) {  // each has a kernel of its own
            const Tensor some = test::upload(s, x, {most_rows, in_dim, 1}).slice(0, rows);
            all.push_back(test::download(s, ops::matmul(s, w, some)));
        }
        s.wait();
    }
    EXPECT_EQ(products[0], products[1]);
}

TEST(Device, BuildsNothingOfATierThatIsOff) {
    const test::TemporaryFolder folder;
    DeviceOptions options{.pipeline_cache_folder = folder.path(), .purpose = "one model"};
    gather_once(options);
    options.disabled = {Tier::float16};
    gather_once(options);
    EXPECT_EQ(lists_of_pipelines(folder.path()).size(), 2u) << "each has a list of its own";
}

}  // namespace assay
