#include "grader/report/sections.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <numeric>
#include <sstream>

#include "grader/report/rows.h"
#include "tests/grader/report/report_files.h"

namespace assay::report {
namespace {

using test::chart_in;
using test::figure_in;
using test::sample_run;

Run run_of(const std::string& name, const std::string& lines) {
    std::istringstream stream(lines);
    return make_run(name, read_results(stream, name));
}

TEST(ReportEstimates, AreUndefinedWithoutValues) {
    EXPECT_EQ(share_estimate(0, 0).value, std::nullopt);
    EXPECT_EQ(mean_estimate({}).value, std::nullopt);
    EXPECT_EQ(mean_estimate({4}).value, 4);
    EXPECT_EQ(mean_estimate({4}).low, std::nullopt);
    EXPECT_TRUE(mean_estimate({4, 5}).low);
}

TEST(ReportSections, CountWhatTheFileHolds) {
    const auto run = sample_run();
    const Section section = overview_section({&run, 1});
    EXPECT_EQ(figure_in(section, "graded").value, 41);
    EXPECT_EQ(figure_in(section, "unscored").value, 2);
    EXPECT_DOUBLE_EQ(*figure_in(section, "forced").value, 2.0 / 41);
    const auto scores = chart_in<Bars>(section, "scores");
    EXPECT_EQ(scores.categories, (std::vector<std::string>{"1", "2", "3", "4", "5"}));
    ASSERT_EQ(scores.series.size(), 2u);
    EXPECT_EQ(scores.series[0].name, "Judge (24)");
    EXPECT_EQ(scores.series[1].name, "Labels (24)");
    EXPECT_DOUBLE_EQ(scores.series[0].values[0], 8.0 / 24);
    EXPECT_DOUBLE_EQ(scores.series[0].values[4], 16.0 / 24);
    EXPECT_EQ(scores.links[4], "verdict=5&at=records");
    EXPECT_EQ(chart_in<Bars>(section, "preferences").categories,
              (std::vector<std::string>{"A", "B", "tie"}));
    EXPECT_EQ(chart_in<Table>(section, "reasons").rows.size(), 2u);
}

TEST(ReportSections, PlotEveryLabelledRecord) {
    const auto run = sample_run();
    const Section section = agreement_section({&run, 1});
    std::size_t records = 0;
    for (const auto& point : chart_in<Points>(section, "scatter").points) records += point.y.n;
    EXPECT_EQ(records, 24u);
    const auto confusion = chart_in<Matrix>(section, "confusion");
    std::size_t cells = 0, same = 0;
    for (std::size_t i = 0; i < 5; ++i) {
        cells += std::accumulate(confusion.counts[i].begin(), confusion.counts[i].end(), 0u);
        same += confusion.counts[i][i];
    }
    EXPECT_EQ(cells, 24u);
    EXPECT_EQ(confusion.row_links[1], "label=2");
    const auto pairs = chart_in<Matrix>(section, "confusion_pairs");
    EXPECT_EQ(pairs.rows.back(), "tie");
    // What is on the diagonal is what the statistics call accuracy.
    for (const Figure& figure : chart_in<Intervals>(section, "score_agreement").rows)
        if (figure.id == "accuracy") {
            EXPECT_DOUBLE_EQ(*figure.estimate.value, static_cast<double>(same) / 24);
        }
}

TEST(ReportSections, TellPositionAndLength) {
    const auto run = run_of(
        "pairs", R"({"id":1,"mode":"relative","verdict":"A","consistent":true,"characters":[9,3],)"
                 R"("orders":{"ab":{"verdict":"A"},"ba":{"verdict":"A"}}})"
                 "\n"
                 R"({"id":2,"mode":"relative","verdict":"B","consistent":false,"characters":[5,7],)"
                 R"("orders":{"ab":{"verdict":"A"},"ba":{"verdict":"B"}}})"
                 "\n"
                 R"({"id":3,"mode":"relative","verdict":"B","consistent":true,"characters":[8,2],)"
                 R"("orders":{"ab":{"verdict":"B"},"ba":{"verdict":"B"}}})");
    const Section position = position_section({&run, 1});
    EXPECT_DOUBLE_EQ(*figure_in(position, "consistency").value, 2.0 / 3);
    // Shown first and preferred: A, A, B in the first order, and B, B... of the exchanged ones.
    EXPECT_DOUBLE_EQ(*figure_in(position, "first_wins").value, 4.0 / 6);
    EXPECT_EQ(chart_in<Bars>(position, "position").series[0].values,
              (std::vector<double>{2.0 / 3, 1.0 / 3}));
    const Section length = length_section({&run, 1});
    EXPECT_DOUBLE_EQ(*figure_in(length, "longer_wins").value, 2.0 / 3);
    const auto points = chart_in<Points>(length, "length_pairs").points;
    ASSERT_EQ(points.size(), 1u);  // too few for more than one bin
    EXPECT_EQ(points[0].x, 6);     // the median of -2, 6, 6
    EXPECT_DOUBLE_EQ(*points[0].y.value, 1.0 / 3);
}

TEST(ReportSections, ShowWhetherConfidenceIsEarned) {
    std::string lines;
    for (int i = 0; i < 4; ++i)
        lines += R"({"mode":"absolute","score":3,"confidence":0.75,"label":)" +
                 std::string(i == 0 ? "5" : "3") + "}\n";
    const auto run = run_of("scores", lines);
    const Section section = confidence_section({&run, 1});
    const auto curve = chart_in<Points>(section, "calibration");
    ASSERT_EQ(curve.points.size(), 1u);
    EXPECT_DOUBLE_EQ(curve.points[0].x, 0.75);
    EXPECT_DOUBLE_EQ(*curve.points[0].y.value, 0.75);
    EXPECT_EQ(curve.points[0].y.n, 4u);
    EXPECT_EQ(figure_in(section, "ece").value, 0);
    EXPECT_EQ(chart_in<Bars>(section, "confidence_histogram").series[0].values[7], 4);
}

// The value of a field of the last of the rows.
nlohmann::ordered_json last(const Run& run, const char* name) {
    const auto json = rows(run, nullptr, {});
    const auto field = std::ranges::find(json["fields"], name) - json["fields"].begin();
    return json["rows"].back()[static_cast<std::size_t>(field)];
}

TEST(ReportSections, ShowWhatCalibrationSays) {
    std::string lines;
    for (int i = 0; i < 4; ++i)
        lines +=
            R"({"id":)" + std::to_string(i) +
            R"(,"mode":"absolute","score":4,"expected_score":3.5,"confidence":0.9,"label":)" +
            std::string(i == 0 ? "4" : "2") +
            R"(,"calibrated":{"score":2.75,"probs":{"1":0,"2":0.5,"3":0.25,"4":0.25,"5":0}}})" +
            "\n";
    const auto run = run_of("scores", lines);
    EXPECT_EQ(figure_in(overview_section({&run, 1}), "mean_calibrated_score").value, 2.75);
    const Section confidence = confidence_section({&run, 1});
    EXPECT_NEAR(*figure_in(confidence, "ece").value, 0.65, 1e-12);
    EXPECT_EQ(figure_in(confidence, "calibrated_ece").value, 0);
    const auto curve = chart_in<Points>(confidence, "calibrated");
    ASSERT_EQ(curve.points.size(), 1u);
    EXPECT_EQ(curve.points[0].x, 0.25);
    EXPECT_EQ(curve.points[0].y.value, 0.25);
    // 1.25 once and 0.75 three times.
    EXPECT_EQ(figure_in(agreement_section({&run, 1}), "calibrated_mae").value, 0.875);
    EXPECT_EQ(last(run, "calibrated"), 2.75);
}

TEST(ReportSections, ShowWhatVerdictsAreOnAnotherScale) {
    std::string lines;
    for (int i = 0; i < 4; ++i)
        lines += R"({"id":)" + std::to_string(i) + R"(,"mode":"absolute","score":)" +
                 std::string(i < 3 ? "5" : "1") +
                 R"(,"label":1,"scale":{"name":"pass-fail","pass_at":4,"value":0.75,"verdict":")" +
                 std::string(i < 3 ? "pass" : "fail") + "\"}}\n";
    const auto run = run_of("scores", lines);
    const auto scale = chart_in<Bars>(overview_section({&run, 1}), "scale");
    EXPECT_EQ(scale.categories, (std::vector<std::string>{"fail", "pass"}));
    EXPECT_EQ(scale.series[0].values, (std::vector<double>{0.25, 0.75}));
    EXPECT_EQ(last(run, "scale"), "fail");
    EXPECT_EQ(agrees(run.results[0]), true);
    EXPECT_EQ(agrees(run.results[3]), false);
    const auto scatter = chart_in<Points>(agreement_section({&run, 1}), "scatter");
    EXPECT_EQ(scatter.y_range, (std::array{0.0, 1.0}));
    ASSERT_EQ(scatter.points.size(), 1u);
    EXPECT_NEAR(*scatter.points[0].y.value, 0.8, 1e-12);  // on a grid of 0.1
}

TEST(ReportSections, ListItemsByTheirRows) {
    const auto run = sample_run();
    const Section section = items_section({&run, 1});
    const auto unscored = chart_in<Table>(section, "unscored_items");
    ASSERT_EQ(unscored.rows.size(), 2u);
    EXPECT_EQ(unscored.rows[0][1], "context_exceeded");
    EXPECT_EQ(unscored.links[0], "open=41");
    const auto slowest = chart_in<Table>(section, "slowest");
    ASSERT_EQ(slowest.rows.size(), 10u);
    for (std::size_t i = 1; i < slowest.rows.size(); ++i)
        EXPECT_GE(slowest.rows[i - 1][2].get<double>(), slowest.rows[i][2].get<double>());
    EXPECT_EQ(chart_in<Table>(section, "inconsistent").rows.size(), 7u);
}

TEST(ReportSections, CompareTwoRuns) {
    const std::string first =
        R"({"id":"a","mode":"absolute","score":4,"expected_score":3.75}
{"id":"b","mode":"absolute","score":2,"expected_score":2.25}
{"id":"only here","mode":"absolute","score":2})";
    const std::string second =
        R"({"id":"b","mode":"absolute","score":5,"expected_score":4.75}
{"id":"a","mode":"absolute","score":4,"expected_score":4.25})";
    const report::Run runs[]{run_of("first", first), run_of("second", second)};
    const Section section = comparison_section(runs);
    EXPECT_EQ(figure_in(section, "compared").value, 2);
    EXPECT_EQ(figure_in(section, "same_verdict").value, 0.5);
    EXPECT_EQ(figure_in(section, "mean_difference").value, 1.5);
    const auto matrix = chart_in<Matrix>(section, "compared_scores");
    EXPECT_EQ(matrix.counts[3][3], 1u);
    EXPECT_EQ(matrix.counts[1][4], 1u);
    const auto differences = chart_in<Table>(section, "differences");
    EXPECT_EQ(differences.rows[0][0], "b");
    EXPECT_EQ(differences.links[0], "open=1");
    // The sections of each file say which one it is.
    EXPECT_EQ(overview_section(runs).figures[0].title, "Graded (first)");
}

TEST(ReportSections, LeaveOutWhatThereIsNotToShow) {
    const auto run = run_of("plain", R"({"id":"a","mode":"absolute","score":4})");
    const Document made = document({&run, 1}, "Title");
    std::vector<std::string> ids;
    for (const Section& section : made.sections) ids.push_back(section.id);
    EXPECT_EQ(ids, std::vector<std::string>{"overview"});
    EXPECT_EQ(made.sources, std::vector<std::string>{"plain: 1 record"});
}

}  // namespace
}  // namespace assay::report
