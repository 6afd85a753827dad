// Statistics, verdicts and reports of `assay bench kernels`, on results that are made up.
#include "bench/kernels/results.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "bench/kernels/compare.h"
#include "bench/kernels/errors.h"
#include "bench/kernels/measure.h"
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
        result.bound = bound_of(*report.roofs, result.cost, true);
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
    const Bound memory = bound_of(roofs, {1e9, 1e9}, true),
                arithmetic = bound_of(roofs, {1e6, 1e12}, true),
                dispatch = bound_of(roofs, {100, 100}, true);
    EXPECT_EQ(memory.roof, copy_roof);
    EXPECT_DOUBLE_EQ(memory.seconds, 0.01);
    EXPECT_EQ(arithmetic.roof, fp32_roof);
    EXPECT_DOUBLE_EQ(arithmetic.seconds, 1);
    EXPECT_EQ(dispatch.roof, dispatch_roof);
    EXPECT_DOUBLE_EQ(dispatch.seconds, 1e-6);
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

    const std::string row = table_row(made.results[0]);
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

TEST(Reports, CallWrongWrong) {
    Report made = report();
    EXPECT_TRUE(made.correct());
    made.results[1].adversarial.wrong = 3;
    EXPECT_FALSE(made.correct());
    EXPECT_NE(table_row(made.results[1]).find("WRONG: 3 of 18"), std::string::npos);
    EXPECT_NE(closing(made).find("1 of 2 cases are WRONG"), std::string::npos);
    EXPECT_FALSE(to_json(made)["cases"][1]["correct"].get<bool>());
}

}  // namespace
}  // namespace assay::bench
