#include "runtime/profile.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace assay {
namespace {

const std::vector<ProfileEvent> events = {{"embed.q4_0", 10.0, 0.25, {100, 200}},
                                          {"direct.q4_0", 10.5, 1.0, {3e9, 4e9}},
                                          {"embed.q4_0", 12.0, 0.25, {300, 400}}};

}  // namespace

TEST(Profile, SumsPerKernelLongestFirst) {
    const auto rows = summarise(events);
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_EQ(rows[0].kernel, "direct.q4_0");
    EXPECT_EQ(rows[1].kernel, "embed.q4_0");
    EXPECT_EQ(rows[1].calls, 2u);
    EXPECT_DOUBLE_EQ(rows[1].seconds, 0.5);
    EXPECT_DOUBLE_EQ(rows[1].cost.bytes, 400);
    EXPECT_DOUBLE_EQ(rows[1].cost.flops, 600);
    EXPECT_TRUE(summarise({}).empty());
}

TEST(Profile, TableStatesRatesAndShareOfPeak) {
    const std::string table = profile_table(events, 6e9);
    EXPECT_NE(table.find("direct.q4_0"), std::string::npos);
    EXPECT_NE(table.find("66.7%"), std::string::npos) << table;  // of the time
    EXPECT_NE(table.find("50.0%"), std::string::npos) << table;  // of the peak
    EXPECT_EQ(profile_table({}, 0).find("nan"), std::string::npos);
}

TEST(Profile, TraceIsJson) {
    const auto trace = nlohmann::json::parse(chrome_trace({events})).at("traceEvents");
    ASSERT_EQ(trace.size(), 3u);
    EXPECT_EQ(trace[1].at("name"), "direct.q4_0");
    EXPECT_DOUBLE_EQ(trace[1].at("ts").get<double>(), 0.5e6);  // microseconds since the first
    EXPECT_DOUBLE_EQ(trace[1].at("dur").get<double>(), 1e6);
    EXPECT_TRUE(nlohmann::json::parse(chrome_trace({})).at("traceEvents").empty());
}

TEST(Profile, TraceHoldsEveryDevice) {
    const auto trace = nlohmann::json::parse(chrome_trace({events, {}, events})).at("traceEvents");
    ASSERT_EQ(trace.size(), 6u);
    EXPECT_EQ(trace[2].at("pid"), 1);
    EXPECT_EQ(trace[3].at("pid"), 3);
    EXPECT_DOUBLE_EQ(trace[3].at("ts").get<double>(), 0);
}

}  // namespace assay
