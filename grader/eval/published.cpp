#include "grader/eval/published.h"

#include <array>
#include <cmath>
#include <limits>
#include <span>

namespace assay::eval {
namespace {

constexpr double none = std::numeric_limits<double>::quiet_NaN();
constexpr double percent = 0.01;

struct Column {
    std::string_view benchmark, metric;
};

struct Row {
    std::string_view judge;
    std::array<double, 10> values;  // of the columns there are
};

// A table of a paper.
struct Table {
    std::span<const Column> columns;
    std::span<const Row> rows;
    double unit = 1;
    std::string_view suffix = {};  // of every metric
};

// Prometheus 2 (arXiv 2405.01535), table 3: direct assessment with a reference answer, mean of 3
// runs.
constexpr std::array<Column, 8> direct_columns{{{"vicuna", "gpt4"},
                                                {"vicuna", "claude"},
                                                {"mt-bench", "gpt4"},
                                                {"mt-bench", "claude"},
                                                {"flask", "gpt4"},
                                                {"flask", "claude"},
                                                {"flask", "human"},
                                                {"feedback-bench", "gpt4"}}};
constexpr std::array<Row, 11> direct_rows{{
    {"Llama-2-70B-chat", {.350, .463, .178, .228, .388, .402, .317, .592}},
    {"Mistral-7B-Instruct-v0.2", {.486, .561, .284, .396, .448, .437, .377, .586}},
    {"Mixtral-8x7B-Instruct", {.566, .579, .551, .539, .483, .495, .420, .673}},
    {"Prometheus-7B (v1)", {.484, .528, .378, .382, .352, .331, .348, .847}},
    {"Prometheus-13B (v1)", {.492, .534, .404, .477, .462, .470, .449, .860}},
    {"Auto-J-13B", {.351, .262, .432, .375, .430, .370, .473, .637}},
    {"Prometheus-2-7B", {.666, .654, .548, .517, .617, .561, .545, .882}},
    {"Prometheus-2-8x7B", {.685, .635, .665, .614, .659, .626, .555, .898}},
    {"GPT-3.5-turbo-0613", {.335, .349, .183, .194, .437, .396, .450, .594}},
    {"GPT-4-1106", {none, .694, none, .717, none, .736, .679, .753}},
    {"Claude-3-Opus", {.694, none, .717, none, .736, none, .573, .788}},
}};

// Its tables of Kendall's tau and Spearman's rho.
constexpr std::array<Row, 2> kendall_rows{{
    {"Prometheus-2-7B", {.543, .476, .390, .372, .476, .446, .377, .784}},
    {"Prometheus-2-8x7B", {.559, .515, .535, .483, .526, .507, .388, .800}},
}};
constexpr std::array<Row, 2> spearman_rows{{
    {"Prometheus-2-7B", {.664, .591, .509, .482, .597, .555, .491, .885}},
    {"Prometheus-2-8x7B", {.660, .615, .669, .605, .642, .618, .496, .912}},
}};

// Its table 4: pairs. With ties a judge is asked for scores, else for the better response.
constexpr std::array<Column, 10> pair_columns{{
    {"hhh", "r2r.accuracy.helpful"},
    {"hhh", "r2r.accuracy.harmless"},
    {"hhh", "r2r.accuracy.honest"},
    {"hhh", "r2r.accuracy.other"},
    {"hhh", "r2r.accuracy"},
    {"mt-bench-human", "a2r.accuracy_with_ties"},
    {"mt-bench-human", "r2r.accuracy"},
    {"autoj", "a2r.accuracy_with_ties"},
    {"autoj", "r2r.accuracy"},
    {"preference-bench", "r2r.accuracy"},
}};
constexpr std::array<Row, 13> pair_rows{{
    {"Llama-2-7B-chat", {55.93, 62.07, 49.18, 62.79, 57.01, 46.68, 50.39, 45.76, 45.73, 58.60}},
    {"Llama-2-13B-chat", {71.19, 77.59, 60.66, 62.79, 68.33, 51.22, 49.61, 47.84, 43.28, 63.00}},
    {"Llama-2-70B-chat", {62.71, 81.03, 65.57, 65.12, 68.78, 55.14, 60.88, 53.38, 50.64, 64.70}},
    {"Mistral-7B-Instruct-v0.2",
     {59.32, 68.97, 63.93, 81.40, 67.42, 53.81, 63.82, 53.88, 60.94, 79.40}},
    {"Mixtral-8x7B-Instruct",
     {83.05, 87.93, 67.21, 69.77, 77.38, 51.85, 71.42, 53.81, 73.50, 84.00}},
    {"PairRM-0.4B", {84.75, 84.48, 80.33, 90.70, 84.62, none, 59.00, none, 59.05, 81.80}},
    {"UltraRM-13B", {86.44, 79.31, 81.97, 88.37, 83.71, none, 56.00, none, 59.85, 86.97}},
    {"Auto-J-13B", {77.97, 79.31, 70.49, 74.42, 75.57, 42.56, 69.12, 43.46, 76.64, 81.35}},
    {"Prometheus-2-7B", {72.78, 79.31, 77.05, 76.74, 74.66, 50.45, 70.78, 54.96, 75.07, 93.25}},
    {"Prometheus-2-8x7B", {84.75, 96.55, 81.97, 76.74, 85.52, 55.07, 71.96, 58.41, 79.98, 90.65}},
    {"GPT-3.5-turbo-0613", {77.97, 81.03, 77.05, 67.44, 76.47, 54.65, 69.41, 45.98, 72.13, 75.05}},
    {"GPT-4-1106", {89.83, 96.55, 91.80, 83.72, 90.95, 60.38, 79.90, 52.80, 83.12, 85.50}},
    {"Claude-3-Opus", {91.53, 100, 91.80, 95.35, 94.57, 55.35, 77.65, 60.70, 82.92, 89.85}},
}};

// Its table 13: the same pairs asked for in both protocols, without ties.
constexpr std::array<Column, 6> format_columns{{
    {"hhh", "a2r.accuracy"},
    {"hhh", "format_gap"},
    {"mt-bench-human", "a2r.accuracy"},
    {"mt-bench-human", "format_gap"},
    {"autoj", "a2r.accuracy"},
    {"autoj", "format_gap"},
}};
constexpr std::array<Row, 5> format_rows{{
    {"Auto-J-13B", {none, 28.96, none, 20.98, none, 29.24}},
    {"Prometheus-2-7B", {74.21, .45, 63.24, 7.54, 68.11, 6.96}},
    {"Prometheus-2-8x7B", {81.45, 4.07, 61.67, 10.29, 66.54, 13.44}},
    {"GPT-4-1106", {none, 7.24, none, 11.86, none, 28.85}},
    {"Claude-3-Opus", {none, 9.95, none, 15.00, none, 21.86}},
}};

// Its figures of self-consistency: Krippendorff's alpha over 3 runs.
constexpr std::array<Column, 3> alpha_columns{
    {{"vicuna", "alpha"}, {"mt-bench", "alpha"}, {"flask", "alpha"}}};
constexpr std::array<Row, 3> alpha_rows{{
    {"Prometheus-2-7B", {.6018, .5340, .5991}},
    {"Prometheus-2-8x7B", {.6383, .6862, .7874}},
    {"GPT-4-1106", {.7366, .8271, .8355}},
}};

constexpr std::array<Column, 1> transitivity_columns{{{"preference-bench", "r2r.transitivity"}}};
constexpr std::array<Row, 3> transitivity_rows{{
    {"Prometheus-2-7B", {97.60}},
    {"Prometheus-2-8x7B", {96.75}},
    {"GPT-4-1106", {95.70}},
}};

// Its table 17: the 7B judges merged linearly, as the weights that are public seem to be.
constexpr std::array<Column, 4> merge_direct_columns{{{"vicuna", "gpt4.pearson"},
                                                      {"mt-bench", "gpt4.pearson"},
                                                      {"flask", "human.pearson"},
                                                      {"feedback-bench", "gpt4.pearson"}}};
constexpr std::array<Row, 1> merge_direct_rows{
    {{"Prometheus-2-7B, linear", {.642, .543, .544, .878}}}};
constexpr std::array<Column, 4> merge_pair_columns{{{"hhh", "r2r.accuracy"},
                                                    {"mt-bench-human", "r2r.accuracy"},
                                                    {"autoj", "r2r.accuracy"},
                                                    {"preference-bench", "r2r.accuracy"}}};
constexpr std::array<Row, 1> merge_pair_rows{
    {{"Prometheus-2-7B, linear", {78.73, 67.25, 73.80, 92.45}}}};

// Prometheus 1 (arXiv 2310.08491): pairs by two scores, of pairs without a tie drawn again until they
// differ; ties count, right where the scores are equal (run_relative_scoring.py).
constexpr std::array<Column, 6> first_columns{{
    {"hhh", "a2r.accuracy.helpful"},
    {"hhh", "a2r.accuracy.harmless"},
    {"hhh", "a2r.accuracy.honest"},
    {"hhh", "a2r.accuracy.other"},
    {"hhh", "a2r.accuracy"},
    {"mt-bench-human", "a2r.accuracy_with_ties"},
}};
constexpr std::array<Row, 3> first_rows{{
    {"Prometheus-7B (v1)", {69.49, 84.48, 78.69, 90.70, 80.09, 55.14}},
    {"Prometheus-13B (v1)", {81.36, 82.76, 75.41, 76.74, 79.19, 57.72}},
    {"GPT-4-0613", {91.53, 93.10, 85.25, 83.72, 88.69, 63.87}},
}};

// Prometheus 2 on BiGGen-Bench, with a reference answer.
constexpr std::array<Column, 1> biggen_columns{{{"biggen", "human.pearson"}}};
constexpr std::array<Row, 3> biggen_rows{{
    {"Prometheus-2-7B", {.455}},
    {"Prometheus-2-8x7B", {.472}},
    {"GPT-4-1106", {.599}},
}};

struct Doubt {
    std::string_view benchmark;
    std::string_view text;
};
constexpr std::array<Doubt, 5> doubts{{
    {"hhh",
     "Prometheus-2-7B: 72.78 % of 59 helpful pairs is no whole number, and its groups add up to "
     "76.47 %, not 74.66 %"},
    {"flask", "Prometheus-2-7B, gpt4.pearson: .617 in the paper's table 3, .659 in its table 5"},
    {"",
     "Prometheus-2-7B is a DARE merge by the paper's text and a linear one by its table 9; the "
     "weights that are public look linear: compare with both rows"},
    {"", "the paper's first version has the linear merge's row for Prometheus-2-7B"},
    {"",
     "published figures have no intervals and no seed: judge differences by the interval of ours"},
}};

constexpr std::array<Table, 11> tables{{
    {direct_columns, direct_rows, 1, ".pearson"},
    {direct_columns, spearman_rows, 1, ".spearman"},
    {direct_columns, kendall_rows, 1, ".kendall_tau_b"},
    {pair_columns, pair_rows, percent},
    {format_columns, format_rows, percent},
    {alpha_columns, alpha_rows},
    {transitivity_columns, transitivity_rows, percent},
    {merge_direct_columns, merge_direct_rows},
    {merge_pair_columns, merge_pair_rows, percent},
    {first_columns, first_rows, percent},
    {biggen_columns, biggen_rows},
}};

}  // namespace

std::vector<PublishedFigure> published_figures(std::string_view benchmark) {
    std::vector<PublishedFigure> figures;
    for (const Table& table : tables)
        for (const auto& [judge, values] : table.rows)
            for (std::size_t i = 0; i < table.columns.size(); ++i)
                if (table.columns[i].benchmark == benchmark && !std::isnan(values.at(i)))
                    figures.push_back({judge,
                                       std::string(table.columns[i].metric).append(table.suffix),
                                       values.at(i) * table.unit});
    return figures;
}

std::vector<std::string_view> published_doubts(std::string_view benchmark) {
    std::vector<std::string_view> texts;
    for (const Doubt& doubt : doubts)
        if (doubt.benchmark.empty() || doubt.benchmark == benchmark) texts.push_back(doubt.text);
    return texts;
}

}  // namespace assay::eval
