// Statistics, verdicts and reports of `assay bench kernels`, on results that are made up.
#include "bench/kernels/results.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>

#include "bench/kernels/compare.h"
#include "bench/kernels/errors.h"
#include "bench/kernels/measure.h"
#include "bench/kernels/run.h"
#include "bench/kernels/selection.h"
#include "runtime/error.h"

namespace assay::bench {
namespace {

Report report() {
    Report report{.version = "1.2.3", .date = "2024-05-01T12:00:00Z", .selection = "2 of 3"};
    report.device.name = "A <device>";
    report.device.driver = "driver 5";
    report.roofs = Roofs{{{copy_roof, Roof::Kind::bandwidth, 1e11},
                          {fp32_roof, Roof::Kind::arithmetic, 1e12},
                          {dispatch_roof, Roof::Kind::duration, 1e-6}}};
    for (const Case& c :
         select_cases({"matmul q4_0 mistral part=w13 rows=1,512"}, false, false, false).cases) {
        Result result{.of = c, .cost = {2e7, 1e8}};
        result.random = result.adversarial = {.compared = 9, .nmse = 1e-14};
        result.timed = Measured{.cold = {30, 4e-4, 3.9e-4, 4.2e-4},
                                .warm = {30, 3e-4, 2.9e-4, 3.2e-4},
                                .kernels = {{"tiled.q4_0", {{64, 2}, 2}, 2}}};
        constexpr std::array arithmetic{fp32_roof, coopmat_roof};
        result.bound = bound_of(*report.roofs, result.cost, arithmetic);
        report.results.push_back(result);
    }
    return report;
}

TEST(Percentile, LiesBetweenNeighbours) {
    const std::vector<double> values{1, 2, 4, 8, 16};
    EXPECT_EQ(percentile(values, 0), 1);
    EXPECT_EQ(percentile(values, 0.5), 4);
    EXPECT_EQ(percentile(values, 1), 16);
    EXPECT_DOUBLE_EQ(percentile(values, 0.1), 1.4);
    EXPECT_DOUBLE_EQ(percentile(values, 0.9), 12.8);
    EXPECT_EQ(percentile({3}, 0.9), 3);
    const Timing timing = timing_of({16, 1, 8, 2, 4});
    EXPECT_EQ(timing.samples, 5u);
    EXPECT_EQ(timing.median, 4);
}

TEST(ErrorMeter, TellsWrongFromInexact) {
    ErrorMeter close;
    close.add(1.0 + 1e-8, 1.0, 1e-7);
    close.add(2.0, 2.0, 1e-7);
    EXPECT_TRUE(close.errors().correct());
    EXPECT_NEAR(close.errors().of_allowed, 0.1, 1e-6);
    EXPECT_NEAR(close.errors().nmse, 1e-16 / 5, 1e-20);

    ErrorMeter off;
    off.add(1.0 + 1e-6, 1.0, 1e-7);
    EXPECT_EQ(off.errors().wrong, 1u);
    EXPECT_FALSE(off.errors().correct());

    ErrorMeter nan;
    nan.add(std::nan(""), 1.0, 1e-7);
    nan.count_not_finite(std::vector<float>{1, INFINITY, NAN, 0});
    EXPECT_EQ(nan.errors().wrong, 1u);
    EXPECT_EQ(nan.errors().not_finite, 2u);
    EXPECT_TRUE(std::isfinite(nan.errors().nmse));

    EXPECT_FALSE(ErrorMeter().errors().correct()) << "nothing was compared";
}

TEST(Roofs, BindWhereTheyAreLowest) {
    const Roofs roofs = *report().roofs;
    constexpr std::array matrices{fp32_roof, coopmat_roof};  // these were not measured
    const Bound memory = bound_of(roofs, {1e9, 1e9}, matrices),
                arithmetic = bound_of(roofs, {1e6, 1e12}, matrices),
                dispatch = bound_of(roofs, {100, 100}, matrices);
    EXPECT_EQ(memory.roof, copy_roof);
    EXPECT_DOUBLE_EQ(memory.seconds, 0.01);
    EXPECT_EQ(arithmetic.roof, fp32_roof);
    EXPECT_DOUBLE_EQ(arithmetic.seconds, 1);
    EXPECT_EQ(dispatch.roof, dispatch_roof);
    EXPECT_DOUBLE_EQ(dispatch.seconds, 1e-6);

    Roofs with_bytes = roofs;
    with_bytes.all.push_back({int8_roof, Roof::Kind::arithmetic, 4e12});
    constexpr std::array bytes{fp32_roof, coopmat_roof, int8_roof};
    EXPECT_DOUBLE_EQ(bound_of(with_bytes, {1e6, 1e12}, bytes).seconds, 0.25);
    EXPECT_DOUBLE_EQ(bound_of(with_bytes, {1e6, 1e12}, matrices).seconds, 1);
    EXPECT_EQ(bound_of(roofs, {1e6, 1e12}, {}).roof, copy_roof);
}

TEST(Compare, CallsNoiseNoise) {
    const Timing before{30, 1.00, 0.95, 1.05};
    EXPECT_EQ(compare(before, before).change, Change::within_noise);
    EXPECT_EQ(compare(before, {30, 1.2, 1.1, 1.3}).change, Change::slower);
    EXPECT_EQ(compare(before, {30, 0.8, 0.7, 0.9}).change, Change::faster);
    EXPECT_EQ(compare(before, {30, 1.2, 1.0, 1.3}).change, Change::within_noise);  // they overlap
    EXPECT_DOUBLE_EQ(compare(before, {30, 1.2, 1.1, 1.3}).ratio, 1.2);
    const Timing exact{30, 1, 1, 1};
    EXPECT_EQ(compare(exact, {30, 1.01, 1.01, 1.01}).change, Change::within_noise);  // too little
    EXPECT_EQ(compare(exact, {30, 1.03, 1.03, 1.03}).change, Change::slower);
}

TEST(Compare, ReadsWhatWasWritten) {
    Report now = report();
    const Earlier earlier(nlohmann::ordered_json::parse(to_json(now).dump()));
    EXPECT_EQ(earlier.version, "1.2.3");
    EXPECT_EQ(earlier.device, "A <device>");
    ASSERT_EQ(earlier.cases.size(), 2u);
    EXPECT_EQ(earlier.cases.at("matmul w13 q4_0 mistral-7b rows=512").cold.p90, 4.2e-4);

    now.results[0].timed->cold = {30, 8e-4, 7.9e-4, 8.2e-4};
    const std::string text = comparison_text(now, earlier);
    EXPECT_NE(text.find("2.000"), std::string::npos) << text;
    EXPECT_NE(text.find("2 cases in both runs: 1 slower, 0 faster beyond noise, 1 alike"),
              std::string::npos)
        << text;
    const auto json = comparison_json(now, earlier);
    EXPECT_EQ(json["cases"][0]["cold"], "slower");
    EXPECT_EQ(json["cases"][1]["cold"], "within noise");
}

TEST(Compare, RefusesOtherFiles) {
    for (const char* text :
         {"{}", "[1]", R"({"schema": 99})", R"({"schema": 1, "cases": [{"cold": 3}]})"})
        EXPECT_THROW(Earlier(nlohmann::ordered_json::parse(text)), Error) << text;
}

TEST(Reports, SayTheSame) {
    const Report made = report();
    const auto json = to_json(made);
    EXPECT_EQ(json["schema"], schema_version);
    EXPECT_EQ(json["cases"][0]["share_of_roof"], 0.5);  // 20 MB at 100 GB/s in 0.4 ms
    EXPECT_EQ(json["cases"][0]["kernels"][0]["dispatches"], 2);
    EXPECT_EQ(json["cases"][0]["kernels"][0]["constants"], (std::vector<int>{64, 2}));
    EXPECT_TRUE(json["cases"][0]["correct"].get<bool>());

    const std::string csv = to_csv(made);
    EXPECT_EQ(std::ranges::count(csv, '\n'), 3);
    EXPECT_NE(csv.find("matmul w13 q4_0 mistral-7b rows=1,matmul,mistral-7b,w13,q4_0"),
              std::string::npos)
        << csv;

    const std::string row = table_row(made, made.results[0]);
    for (const char* part : {"400.00 us", "300.00 us", "50.0 GB/s", "250 GOP/s", "50.0 %", "copy",
                             "2 x tiled.q4_0(64,2)"})
        EXPECT_NE(row.find(part), std::string::npos) << part << " is not in\n" << row;

    const std::string html = to_html(made);
    EXPECT_EQ(html.find("A <device>"), std::string::npos) << "not escaped";
    EXPECT_NE(html.find("<svg"), std::string::npos);
    EXPECT_NE(html.find("rows=512\n400.00 us, 50.0 % of copy"), std::string::npos);
    for (const char* loads : {"http:", "https:", "src=", "url("})
        EXPECT_EQ(html.find(loads), std::string::npos) << loads;
}

// As drivers tell them: RADV of Mesa, NVIDIA's, and ANV of Mesa, which makes several of a kernel.
TEST(Reports, ShowRegistersWhereTheDriverTells) {
    const Executable amd{"compute",
                         64,
                         {{"SGPRs", std::uint64_t{32}},
                          {"VGPRs", std::uint64_t{84}},
                          {"Spilled SGPRs", std::uint64_t{2}},
                          {"Spilled VGPRs", std::uint64_t{3}}}},
        nvidia{"", 32, {{"Register Count", std::int64_t{128}}, {"Stack Size", std::int64_t{0}}}},
        intel{"CS8", 8, {{"Spill Count", std::uint64_t{0}}}},
        intel_16{"CS16", 16, {{"Spill Count", std::uint64_t{7}}}}, silent{"", 8, {{"Loops", 1.5}}};
    EXPECT_EQ(registers_text({amd}), "84, 5 spilled");
    EXPECT_EQ(registers_text({nvidia}), "128");
    EXPECT_EQ(registers_text({intel}), "0 spilled");
    EXPECT_EQ(registers_text({intel, intel_16}), "7 spilled");
    EXPECT_EQ(registers_text({silent}), "");

    Report made = report();
    EXPECT_NE(heading(made).find("the driver tells nothing of registers"), std::string::npos);
    EXPECT_FALSE(to_json(made)["tells_registers"].get<bool>());
    EXPECT_EQ(registers_text(*made.results[0].timed), "");
    made.tells_registers = true;
    auto& kernels = made.results[0].timed->kernels;
    kernels[0].executables = {amd};
    kernels.push_back({"gather", {}, 1, {silent}});
    EXPECT_NE(heading(made).find(" registers kernels"), std::string::npos);
    EXPECT_EQ(heading(made).find("tells nothing"), std::string::npos);
    EXPECT_NE(table_row(made, made.results[0]).find("84, 5 spilled + -"), std::string::npos);
    EXPECT_NE(to_csv(made).find(",\"84, 5 spilled + -\","), std::string::npos) << to_csv(made);
    const auto json = to_json(made)["cases"][0]["kernels"];
    EXPECT_EQ(json[0]["executables"][0]["statistics"]["VGPRs"], 84);
    EXPECT_EQ(json[0]["executables"][0]["subgroup_size"], 64);
    EXPECT_EQ(json[1]["executables"][0]["statistics"]["Loops"], 1.5);
}

TEST(Reports, SayWhatIsKnownOfTiers) {
    Report made = report();
    const auto tier = [&](Tier t) -> TierState& {
        return made.device.tiers.at(static_cast<std::size_t>(t));
    };
    tier(Tier::float16).on = true;
    tier(Tier::coopmat2).note = "the device lacks it";
    EXPECT_NE(heading(made).find("coopmat2 (the device lacks it)"), std::string::npos);
    const auto device = to_json(made)["device"];
    EXPECT_TRUE(device["tiers"]["float16"].get<bool>());
    EXPECT_FALSE(device["tier_notes"].contains("float16"));
    EXPECT_EQ(device["tier_notes"]["coopmat2"], "the device lacks it");
}

// What was measured before the device was lost is kept.
TEST(Reports, EndWithTheDevice) {
    const Report made = report();
    const Selection selection =
        select_cases({"matmul q4_0 mistral part=w13 rows=1..4"}, false, false, false);
    ASSERT_EQ(selection.cases.size(), 4u);
    std::size_t begun = 0, told = 0;
    const CaseRunner runner{.run = [&](const Case&) -> Result {
                                if (begun == 2) throw Error("no memory for it");
                                if (begun == 3) throw Error("it ended");
                                return made.results[0];
                            },
                            .lost = [&] { return begun == 3 ? "ErrorDeviceLost" : ""; }};
    const Listener listener{.on_begin = {},
                            .on_case = [&](const Case&, std::size_t number) { begun = number + 1; },
                            .on_result = [&](const Report&, const Result&) { ++told; }};
    Report run{.version = "1", .date = "now", .selection = "4 of 4"};
    run.roofs = made.roofs;
    run_cases(selection, runner, listener, run);
    EXPECT_EQ(begun, 3u);  // and the fourth is not begun
    EXPECT_EQ(told, 1u);
    ASSERT_EQ(run.results.size(), 1u);
    ASSERT_EQ(run.omitted.size(), 2u);
    EXPECT_EQ(run.omitted[1].why, "it ended");
    EXPECT_TRUE(run.results[0].correct());
    EXPECT_FALSE(run.correct());
    EXPECT_NE(closing(run).find("ended after 3 cases, since the device is lost: ErrorDeviceLost"),
              std::string::npos)
        << closing(run);
    EXPECT_EQ(to_json(run)["lost"], "ErrorDeviceLost");
    EXPECT_FALSE(to_json(made).contains("lost"));
    EXPECT_NE(to_html(run).find("ErrorDeviceLost"), std::string::npos);
}

TEST(Reports, CallWrongWrong) {
    Report made = report();
    EXPECT_TRUE(made.correct());
    made.results[1].adversarial.wrong = 3;
    EXPECT_FALSE(made.correct());
    EXPECT_NE(table_row(made, made.results[1]).find("WRONG: 3 of 18"), std::string::npos);
    EXPECT_NE(closing(made).find("1 of 2 cases are WRONG"), std::string::npos);
    EXPECT_FALSE(to_json(made)["cases"][1]["correct"].get<bool>());
}

}  // namespace
}  // namespace assay::bench
