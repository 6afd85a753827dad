#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "tests/support/tensors.h"

namespace assay {
namespace {

constexpr std::uint32_t none = 0xffffffffu;

// A row to sample from: its logits, which tokens it holds already, and how.
struct Row {
    std::vector<float> logits;
    std::vector<bool> seen;
    reference::Sampling how;
    double uniform_number = 0;
};

// Rows of one vocabulary in one dispatch. Sets `seen` to what the kernel left.
std::vector<std::uint32_t> on_device(Stream& s, std::vector<Row>& rows) {
    const auto vocabulary = static_cast<std::uint32_t>(rows[0].logits.size()),
               words = (vocabulary + 31) / 32;
    const auto count = static_cast<std::uint32_t>(rows.size());
    std::vector<float> logits;
    std::vector<std::uint32_t> seen(std::size_t{count} * words), every_row(count);
    std::iota(every_row.begin(), every_row.end(), 0u);
    std::vector<shader::SampleRow> how;
    for (std::size_t r = 0; r < rows.size(); ++r) {
        const reference::Sampling& h = rows[r].how;
        logits.insert(logits.end(), rows[r].logits.begin(), rows[r].logits.end());
        how.push_back({.temperature = static_cast<float>(h.temperature),
                       .top_p = static_cast<float>(h.top_p),
                       .min_p = static_cast<float>(h.min_p),
                       .repetition_penalty = static_cast<float>(h.repetition_penalty),
                       .top_k = static_cast<std::uint32_t>(h.top_k),
                       .uniform_number = static_cast<float>(rows[r].uniform_number)});
        for (std::uint32_t t = 0; t < vocabulary; ++t)
            if (rows[r].seen[t]) seen[r * words + t / 32] |= 1u << t % 32;
    }
    // The bits change, so they are copied to scratch, behind which guard words lie.
    std::vector<float> bits(seen.size());
    std::memcpy(bits.data(), seen.data(), seen.size() * 4);
    const Tensor device_seen = ops::gather(s, test::upload(s, bits, {count, words, 1}),
                                           test::upload(s, every_row, {count, 1, 1}));
    std::vector<std::uint32_t> device_how(how.size() * sizeof(shader::SampleRow) / 4);
    std::memcpy(device_how.data(), how.data(), device_how.size() * 4);
    const Tensor tokens = ops::sample(s, test::upload(s, logits, {count, vocabulary, 1}),
                                      test::upload(s, device_how, {count, 6, 1}), device_seen);
    const auto chosen = test::download<std::uint32_t>(s, tokens),
               seen_after = test::download<std::uint32_t>(s, device_seen);
    s.wait();
    for (std::size_t r = 0; r < rows.size(); ++r)
        for (std::uint32_t t = 0; t < vocabulary; ++t)
            rows[r].seen[t] = (seen_after[r * words + t / 32] >> t % 32 & 1) != 0;
    return chosen;
}

// The token at which the running probability passes the row's number, and whether rounding may move
// it.
void expect_drawn(const Row& row, std::uint32_t token, const std::string& what) {
    const auto p = reference::sampling_probabilities(row.logits, row.seen, row.how);
    ASSERT_LT(token, p.size()) << what;
    EXPECT_GT(p[token], 0) << what << ": token " << token << " was filtered out";
    double before = 0;
    for (std::uint32_t t = 0; t < token; ++t) before += p[t];
    // Sums of n positive terms, good to about sqrt(n) roundings; exp() to a few.
    const double slack = (16 + std::sqrt(static_cast<double>(p.size()))) * test::rounding;
    EXPECT_GE(row.uniform_number, before - slack) << what;
    EXPECT_LE(row.uniform_number, before + p[token] + slack) << what;
}

Row random_row(std::uint32_t vocabulary, const reference::Sampling& how, test::Random& random) {
    Row row{random.normals(vocabulary, 3), std::vector<bool>(vocabulary), how, random.uniform()};
    for (std::uint32_t t = 0; t < vocabulary; ++t) row.seen[t] = random.below(4) == 0;
    return row;
}

}  // namespace

TEST(Sample, DrawsWhatIsLeft) {
    constexpr reference::Sampling ways[] = {
        {},
        {.repetition_penalty = 1.3},
        {.temperature = 1},
        {.temperature = 0.7, .repetition_penalty = 1.03},
        {.temperature = 1, .top_k = 1},
        {.temperature = 1, .top_k = 7},
        {.temperature = 1, .top_k = 1000000},
        {.temperature = 1, .top_p = 0.9},
        {.temperature = 1, .top_p = 0.9, .repetition_penalty = 1.03},
        {.temperature = 2, .top_p = 0.01},
        {.temperature = 1, .min_p = 0.1},
        {.temperature = 1.5, .top_p = 0.8, .min_p = 0.02, .repetition_penalty = 1.2, .top_k = 40},
    };
    for (bool bound : {false, true}) {
        Stream s(test::device(bound), {.guard = true});
        test::Random random(11);
        for (std::uint32_t vocabulary : {1u, 2u, 31u, 32u, 33u, 127u, 128u, 129u, 32000u}) {
            std::vector<Row> rows;
            for (const auto& how : ways)
                for (int repeat = 0; repeat < (vocabulary == 129 ? 20 : 2); ++repeat)
                    rows.push_back(random_row(vocabulary, how, random));
            auto after = rows;
            const auto tokens = on_device(s, after);
            for (std::size_t r = 0; r < rows.size(); ++r) {
                const std::string what =
                    "vocabulary " + std::to_string(vocabulary) + ", row " + std::to_string(r);
                expect_drawn(rows[r], tokens[r], what);
                if (tokens[r] >= vocabulary) continue;
                rows[r].seen[tokens[r]] = true;
                EXPECT_EQ(rows[r].seen, after[r].seen) << what;
            }
        }
    }
}

TEST(Sample, TakesTheFirstOfTheGreatest) {
    Stream s(test::device(), {.guard = true});
    const float infinity = std::numeric_limits<float>::infinity();
    struct Case {
        std::vector<std::pair<std::uint32_t, float>> logits;  // token and logit; -1 elsewhere
        std::uint32_t chosen;
    };
    const Case cases[] = {{{}, 0},
                          {{{7, 2}, {150, 2}}, 7},
                          {{{150, 2}, {199, 2}}, 150},
                          {{{199, -0.5f}}, 199},
                          {{{3, infinity}}, 3},
                          {{{5, std::numeric_limits<float>::quiet_NaN()}}, none},
                          {{{3, 9}, {199, std::numeric_limits<float>::quiet_NaN()}}, none}};
    for (double temperature : {0.0, 1e-3}) {
        std::vector<Row> rows;
        for (const Case& c : cases) {
            rows.push_back({std::vector<float>(200, -1),
                            std::vector<bool>(200),
                            {.temperature = temperature, .top_k = 1},
                            0});
            for (auto& [token, logit] : c.logits) rows.back().logits[token] = logit;
        }
        const auto tokens = on_device(s, rows);
        for (std::size_t r = 0; r < rows.size(); ++r)
            EXPECT_EQ(tokens[r], cases[r].chosen) << "row " << r << ", temperature " << temperature;
    }
}

// A grammar may leave no token but one, or none.
TEST(Sample, TakesLogitsOfMinusInfinity) {
    Stream s(test::device(), {.guard = true});
    const float infinity = std::numeric_limits<float>::infinity();
    for (double temperature : {0.0, 1.0}) {
        std::vector<Row> rows(2, {std::vector<float>(50, -infinity),
                                  std::vector<bool>(50),
                                  {.temperature = temperature, .top_p = 0.9},
                                  0.5});
        rows[0].logits[31] = -2;
        const auto tokens = on_device(s, rows);
        EXPECT_EQ(tokens[0], 31u);
        EXPECT_EQ(tokens[1], 0u);
    }
}

}  // namespace assay
