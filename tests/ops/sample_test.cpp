#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/support/tensors.h"

namespace assay {
namespace {

using shader::no_token;

// A row to sample from: its logits, which tokens it holds already, the guesses before it, and how.
struct Row {
    std::vector<float> logits;
    std::vector<bool> seen;
    reference::Sampling how;
    double uniform_number = 0;
    std::vector<std::uint32_t> guesses{};

    std::vector<bool> all_seen() const {
        std::vector<bool> all = seen;
        for (std::uint32_t token : guesses) all[token] = true;
        return all;
    }
    shader::SampleRow on_device() const {
        return {.temperature = static_cast<float>(how.temperature),
                .top_p = static_cast<float>(how.top_p),
                .min_p = static_cast<float>(how.min_p),
                .repetition_penalty = static_cast<float>(how.repetition_penalty),
                .top_k = static_cast<std::uint32_t>(how.top_k),
                .uniform_number = static_cast<float>(uniform_number),
                .row = 0,
                .choice_row = 0,
                .first_guess = 0,
                .guesses = static_cast<std::uint32_t>(guesses.size()),
                .keep = 0};
    }
};

// Structs as the operations take them.
template <class T>
Tensor upload_structs(Stream& s, const std::vector<T>& structs) {
    return s.upload(std::span(reinterpret_cast<const std::uint32_t*>(structs.data()),
                              structs.size() * sizeof(T) / 4));
}

// A copy behind which guard words lie.
Tensor upload_state(Stream& s, const std::vector<std::uint32_t>& values, std::uint32_t rows) {
    const Tensor state = s.scratch(rows, static_cast<std::uint32_t>(values.size() / rows));
    s.copy(test::upload(s, values, state.shape), state);
    return state;
}

struct Sampled {
    std::vector<std::uint32_t> tokens;
    std::vector<std::uint32_t> chosen;  // by choice row
};
constexpr std::uint32_t untouched = 12345;  // what `chosen` held before

// Rows of one vocabulary in one dispatch. Row r has the last choice row but r, every other one is
// kept.
Sampled on_device(Stream& s, const std::vector<Row>& rows) {
    const auto vocabulary = static_cast<std::uint32_t>(rows[0].logits.size()),
               words = (vocabulary + 31) / 32;
    const auto count = static_cast<std::uint32_t>(rows.size());
    std::vector<float> logits(std::size_t{count} * vocabulary);
    std::vector<std::uint32_t> seen(std::size_t{count} * words), tokens{no_token};
    std::vector<shader::SampleRow> how;
    for (std::uint32_t r = 0; r < count; ++r) {
        how.push_back(rows[r].on_device());
        how[r].row = (r + 1) % count;
        how[r].choice_row = count - 1 - r;
        how[r].first_guess = static_cast<std::uint32_t>(tokens.size());
        how[r].keep = r % 2;
        tokens.insert(tokens.end(), rows[r].guesses.begin(), rows[r].guesses.end());
        std::ranges::copy(rows[r].logits, logits.begin() + how[r].row * std::ptrdiff_t{vocabulary});
        for (std::uint32_t t = 0; t < vocabulary; ++t)
            if (rows[r].seen[t]) seen[how[r].choice_row * words + t / 32] |= 1u << t % 32;
    }
    const Tensor chosen = upload_state(s, std::vector<std::uint32_t>(count, untouched), count);
    const Tensor sampled = ops::sample(
        s, test::upload(s, logits, {count, vocabulary, 1}), upload_structs(s, how),
        s.upload(std::span<const std::uint32_t>(tokens)), upload_state(s, seen, count), chosen);
    Sampled result{test::download<std::uint32_t>(s, sampled),
                   test::download<std::uint32_t>(s, chosen)};
    s.wait();
    return result;
}

// How logits are spread: as a model's, flat, wide, or with many ties.
enum class Spread : std::uint8_t { usual, flat, wide, tied };

Row random_row(std::uint32_t vocabulary, const reference::Sampling& how, test::Random& random,
               Spread spread = Spread::usual) {
    const float deviation = spread == Spread::flat ? 0.05f : spread == Spread::wide ? 40.0f : 3.0f;
    Row row{random.normals(vocabulary, deviation), std::vector<bool>(vocabulary), how,
            random.uniform()};
    if (spread == Spread::tied)
        for (float& z : row.logits) z = std::round(z);
    for (std::uint32_t t = 0; t < vocabulary; ++t) row.seen[t] = random.below(4) == 0;
    row.guesses.resize(random.below(2) * random.below(shader::most_guesses + 1));
    for (auto& token : row.guesses) token = random.below(vocabulary);
    return row;
}

}  // namespace

TEST(Sample, TheReferenceKnowsWhatMayBeDrawn) {
    const std::vector<double> p{0.25, 0, 0.5, 0.25};
    const auto drawn_by = [&](double number) {
        std::vector<std::size_t> tokens;
        for (std::size_t t = 0; t < 6; ++t)
            if (reference::may_be_drawn(p, t, number)) tokens.push_back(t);
        return tokens;
    };
    using Tokens = std::vector<std::size_t>;
    EXPECT_EQ(drawn_by(0), Tokens{0});
    EXPECT_EQ(drawn_by(0.2499), Tokens{0});
    EXPECT_EQ(drawn_by(0.25), (Tokens{0, 2}));  // rounding decides
    EXPECT_EQ(drawn_by(0.2501), Tokens{2});
    EXPECT_EQ(drawn_by(0.7501), Tokens{3});
    EXPECT_EQ(drawn_by(1), Tokens{3});
}

TEST(Sample, DrawsWhatIsLeft) {
    constexpr reference::Sampling ways[] = {
        {},
        {.repetition_penalty = 1.3},
        {.temperature = 1},
        {.temperature = 0.7, .repetition_penalty = 1.03},
        {.temperature = 1, .top_k = 1},
        {.temperature = 1, .top_k = 7},
        {.temperature = 1, .top_k = 1000000},
        {.temperature = 0.05, .top_k = 2000},
        {.temperature = 1, .top_p = 0.9},
        {.temperature = 1, .top_p = 0.9, .repetition_penalty = 1.03},
        {.temperature = 2, .top_p = 0.01},
        {.temperature = 1, .top_p = 0.9999},
        {.temperature = 1, .min_p = 0.1},
        {.temperature = 1.5, .top_p = 0.8, .min_p = 0.02, .repetition_penalty = 1.2, .top_k = 40},
    };
    for (bool bound : {false, true}) {
        Stream s(test::device(bound), {.guard = true});
        test::Random random(11);
        for (std::uint32_t vocabulary : {1u, 2u, 31u, 32u, 33u, 127u, 128u, 129u, 2560u, 32000u}) {
            std::vector<Row> rows;
            for (const auto& how : ways)
                for (Spread spread : {Spread::usual, Spread::flat, Spread::wide, Spread::tied}) {
                    if (vocabulary == 32000 && spread != Spread::usual) continue;  // slow
                    for (int repeat = 0; repeat < (vocabulary == 129 ? 5 : 1); ++repeat)
                        rows.push_back(random_row(vocabulary, how, random, spread));
                }
            const auto [tokens, chosen] = on_device(s, rows);
            for (std::size_t r = 0; r < rows.size(); ++r) {
                const std::string what =
                    "vocabulary " + std::to_string(vocabulary) + ", row " + std::to_string(r);
                const auto left = reference::sampling_probabilities(
                    rows[r].logits, rows[r].all_seen(), rows[r].how);
                EXPECT_TRUE(reference::may_be_drawn(left, tokens[r], rows[r].uniform_number))
                    << what << ": token " << tokens[r] << " by " << rows[r].uniform_number;
                EXPECT_EQ(chosen[rows.size() - 1 - r], r % 2 ? tokens[r] : untouched) << what;
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
                          {{{5, std::numeric_limits<float>::quiet_NaN()}}, no_token},
                          {{{3, 9}, {199, std::numeric_limits<float>::quiet_NaN()}}, no_token}};
    for (double temperature : {0.0, 1e-3}) {
        std::vector<Row> rows;
        for (const Case& c : cases) {
            rows.push_back({std::vector<float>(200, -1),
                            std::vector<bool>(200),
                            {.temperature = temperature, .top_k = 1},
                            0});
            for (auto& [token, logit] : c.logits) rows.back().logits[token] = logit;
        }
        const auto [tokens, chosen] = on_device(s, rows);
        for (std::size_t r = 0; r < rows.size(); ++r) {
            EXPECT_EQ(tokens[r], cases[r].chosen) << "row " << r << ", temperature " << temperature;
            // What is kept is always a token, since the next step may begin with it.
            EXPECT_EQ(chosen[rows.size() - 1 - r], r % 2 == 0              ? untouched
                                                   : tokens[r] == no_token ? 0
                                                                           : tokens[r]);
        }
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
        const auto tokens = on_device(s, rows).tokens;
        EXPECT_EQ(tokens[0], 31u);
        EXPECT_EQ(tokens[1], 0u);
    }
}

// A row among many gives what it gives alone, bit for bit.
TEST(Sample, KeepsRowsApart) {
    Stream s(test::device(), {.guard = true});
    test::Random random(12);
    std::vector<Row> rows;
    for (int r = 0; r < 40; ++r)
        rows.push_back(random_row(2560, {.temperature = 1, .top_p = 0.9}, random));
    const auto together = on_device(s, rows).tokens;
    for (std::size_t r = 0; r < rows.size(); ++r)
        EXPECT_EQ(on_device(s, {rows[r]}).tokens[0], together[r]) << "row " << r;
}

// Verifying guesses: one row of logits and one choice row, one more guess before each row.
TEST(Sample, CountsGuessesAsSeen) {
    Stream s(test::device(), {.guard = true});
    constexpr std::uint32_t vocabulary = 100;
    Row row{std::vector<float>(vocabulary),
            std::vector<bool>(vocabulary),
            {.repetition_penalty = 1000},
            0};
    std::vector<std::uint32_t> guesses;  // from the greatest logit down
    for (std::uint32_t g = 0; g < shader::most_guesses; ++g) {
        guesses.push_back(g * 6 % vocabulary);
        row.logits[guesses[g]] = 20.0f - static_cast<float>(g);
    }
    std::vector<shader::SampleRow> how(guesses.size(), row.on_device());
    for (std::uint32_t r = 0; r < how.size(); ++r) how[r].guesses = r;
    const Tensor sampled = ops::sample(
        s, test::upload(s, row.logits, {1, vocabulary, 1}), upload_structs(s, how),
        s.upload(std::span<const std::uint32_t>(guesses)),
        upload_state(s, std::vector<std::uint32_t>(4), 1), upload_state(s, {untouched}, 1));
    const auto tokens = test::download<std::uint32_t>(s, sampled);
    s.wait();
    EXPECT_EQ(tokens, guesses);
}

TEST(Sample, ResolvesTokensChosenOnTheDevice) {
    for (bool bound : {false, true}) {
        Stream s(test::device(bound), {.guard = true});
        test::Random random(13);
        std::vector<std::uint32_t> chosen(10);
        for (auto& token : chosen) token = random.below(32000);
        for (std::uint32_t count : {1u, 63u, 64u, 65u, 1000u}) {
            std::vector<std::uint32_t> tokens(count), expected(count);
            for (std::uint32_t i = 0; i < count; ++i) {
                const std::uint32_t choice_row = random.below(10), flag = random.below(2);
                expected[i] = flag ? chosen[choice_row] : random.below(32000);
                tokens[i] = flag ? shader::chosen_flag | choice_row : expected[i];
            }
            const Tensor resolved = ops::resolve_tokens(s, test::upload(s, tokens, {count, 1, 1}),
                                                        test::upload(s, chosen, {10, 1, 1}));
            const auto actual = test::download<std::uint32_t>(s, resolved);
            s.wait();
            EXPECT_EQ(actual, expected) << count << " tokens";
        }
    }
}

TEST(Sample, MarksTokensAsSeen) {
    constexpr std::uint32_t choice_rows = 3, vocabulary = 100, words = 4;
    for (bool bound : {false, true}) {
        Stream s(test::device(bound), {.guard = true});
        test::Random random(14);
        for (std::uint32_t count : {1u, 64u, 65u, 300u}) {
            std::vector<std::uint32_t> tokens(20), seen(choice_rows * words);
            for (auto& token : tokens) token = random.below(vocabulary);
            for (auto& word : seen) word = 1u << random.below(32);  // stay set
            const Tensor state = upload_state(s, seen, choice_rows);
            std::vector<shader::SeenMark> marks(count);
            for (auto& mark : marks) {  // choice row 1 gets none
                mark = {.row = random.below(20), .choice_row = random.below(2) * 2};
                seen[mark.choice_row * words + tokens[mark.row] / 32] |= 1u
                                                                         << tokens[mark.row] % 32;
            }
            ops::mark_seen(s, test::upload(s, tokens, {20, 1, 1}), upload_structs(s, marks), state);
            const auto actual = test::download<std::uint32_t>(s, state);
            s.wait();
            EXPECT_EQ(actual, seen) << count << " marks";
        }
    }
}

TEST(Sample, PicksSingleLogits) {
    constexpr std::uint32_t rows = 7, vocabulary = 130;
    for (bool bound : {false, true}) {
        Stream s(test::device(bound), {.guard = true});
        test::Random random(15);
        const auto logits = random.normals(std::size_t{rows} * vocabulary);
        for (std::uint32_t count : {1u, 64u, 65u}) {
            std::vector<shader::LogitPlace> places(count);
            std::vector<float> expected;
            for (auto& place : places) {
                place = {.row = random.below(rows), .token = random.below(vocabulary)};
                expected.push_back(logits[place.row * vocabulary + place.token]);
            }
            const Tensor picked = ops::pick(s, test::upload(s, logits, {rows, vocabulary, 1}),
                                            upload_structs(s, places));
            const auto actual = test::download(s, picked);
            s.wait();
            EXPECT_EQ(actual, expected) << count << " places";
        }
    }
}

}  // namespace assay
