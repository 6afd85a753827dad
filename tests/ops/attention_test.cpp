#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/ops/tuning.h"
#include "tests/support/kv_cache.h"

namespace assay {
namespace {

// New tokens of one sequence, behind what it has already.
struct Run {
    std::uint32_t first_position, tokens;
};

struct Case {
    std::string name;
    std::uint32_t heads, kv_heads, head_dim, window;
    std::vector<Run> runs;
    double size = 1;  // of queries and keys
    // Positions whose values have an infinite element, and whose keys have nothing else.
    std::vector<std::uint32_t> infinite_values = {}, infinite_keys = {};
};

// Some of a sequence's new tokens.
struct Part {
    std::size_t sequence;
    std::uint32_t first, tokens;
};

// A batch with its random queries and cache.
class Batch {
public:
    Batch(Device& device, Cache format, const Case& c, std::uint32_t seed)
        : case_(c), random_(seed), cache_(make_cache(device, format)) {
        for (std::size_t i = 0; i < c.runs.size(); ++i) {
            const std::size_t keys = c.runs[i].first_position + c.runs[i].tokens;
            queries.push_back(
                random_.normals(std::size_t{c.runs[i].tokens} * c.heads * c.head_dim, c.size));
            keys_.push_back(random_.normals(keys * c.kv_heads * c.head_dim, c.size));
            values_.push_back(random_.normals(keys * c.kv_heads * c.head_dim));
            make_infinite(i);
            cache_.store(i, keys_.back(), values_.back());
        }
    }

    std::vector<std::vector<float>> queries;  // of each sequence

    std::vector<Part> everything() const {
        std::vector<Part> all;
        for (std::size_t i = 0; i < case_.runs.size(); ++i)
            all.push_back({i, 0, case_.runs[i].tokens});
        return all;
    }

    // Those tokens in one step.
    std::vector<float> on_device(Stream& s, const std::vector<Part>& parts,
                                 ops::AttentionPath path) const {
        std::vector<float> q;
        std::vector<std::uint32_t> tables;
        std::vector<ops::QueryRun> runs;
        std::uint32_t rows = 0, most_keys = 0;
        const std::size_t row_size = std::size_t{case_.heads} * case_.head_dim;
        for (const auto& [i, first, tokens] : parts) {
            const std::uint32_t first_position = case_.runs[i].first_position + first;
            runs.push_back({rows, tokens, first_position});
            rows += tokens;
            most_keys = std::max(most_keys, first_position + tokens);
            const auto these = std::span(queries[i]).subspan(first * row_size, tokens * row_size);
            q.insert(q.end(), these.begin(), these.end());
            const auto table =
                std::span(cache_.tables).subspan(i * cache_.most_blocks, cache_.most_blocks);
            tables.insert(tables.end(), table.begin(), table.end());
        }
        const auto tiles = ops::make_tiles(s.device(), runs, case_.heads / case_.kv_heads, path);
        std::vector<std::uint32_t> words;
        std::uint32_t tile_tokens = 0;
        for (const shader::QueryTile& tile : tiles) {
            words.insert(words.end(),
                         {tile.sequence, tile.first_row, tile.tokens, tile.first_position});
            tile_tokens = std::max(tile_tokens, tile.tokens);
        }
        const auto count = static_cast<std::uint32_t>(tiles.size());
        const ops::Attended step{
            .block_tables = test::upload(
                s, tables, {static_cast<std::uint32_t>(parts.size()), cache_.most_blocks, 1}),
            .tiles = test::upload(s, words, {count, 4, 1}),
            .tile_count = count,
            .single_tiles = static_cast<std::uint32_t>(
                std::ranges::count(tiles, 1u, &shader::QueryTile::tokens)),
            .tile_tokens = tile_tokens,
            .most_keys = most_keys};
        const Tensor y = ops::attention(s, test::upload(s, q, {rows, case_.heads, case_.head_dim}),
                                        cache_.device(), step, case_.window, path);
        auto actual = test::download(s, y);
        s.wait();
        return actual;
    }

    reference::Expected expected(std::size_t i) const {
        return reference::attention(queries[i], keys_[i], values_[i],
                                    {case_.heads, case_.kv_heads, case_.head_dim,
                                     case_.runs[i].first_position, case_.window});
    }

private:
    test::KvCache make_cache(Device& device, Cache format) {
        std::vector<std::uint32_t> lengths;
        for (const Run& run : case_.runs) lengths.push_back(run.first_position + run.tokens);
        return test::KvCache(device, format, case_.kv_heads, case_.head_dim, lengths, random_);
    }

    void make_infinite(std::size_t sequence) {
        constexpr float infinity = std::numeric_limits<float>::infinity();
        const std::size_t row = std::size_t{case_.kv_heads} * case_.head_dim;
        for (const std::uint32_t position : case_.infinite_values)
            for (std::uint32_t head = 0; head < case_.kv_heads; ++head)
                values_[sequence][position * row + head * case_.head_dim + 5] = infinity;
        for (const std::uint32_t position : case_.infinite_keys)
            std::fill_n(&keys_[sequence][position * row], row, infinity);
    }

    const Case& case_;
    test::Random random_;
    test::KvCache cache_;
    std::vector<std::vector<float>> keys_, values_;
};

// A score is a sum of head_dim terms and a result one of up to `keys` terms, each off by about the
// square root of their number (Higham & Mary 2019); exp() adds 3 units in the last place, and as
// many per unit of the score as the score is off. With cooperative matrices q and the weights, and
// keys and values of q8_0, are rounded to halves.
double allowed(const Case& c, ops::AttentionPath path) {
    constexpr double half_rounding = 0x1p-11;
    std::uint32_t keys = 0;
    for (const Run& run : c.runs) keys = std::max(keys, run.first_position + run.tokens);
    return (16 + std::sqrt(c.head_dim) + std::sqrt(keys)) * test::rounding +
           (path == ops::AttentionPath::coopmat ? 4 * half_rounding : 0);
}

// Most have heads of the size given.
std::vector<Case> cases(std::uint32_t size) {
    return {
        {"one key", 1, 1, 32, 0, {{0, 1}}},
        {"decode, lengths around a block",
         4,
         4,
         size,
         0,
         {{0, 1}, {14, 1}, {15, 1}, {16, 1}, {31, 1}, {100, 1}}},
        {"prefill, lengths around a block",
         4,
         2,
         size,
         0,
         {{0, 1}, {0, 15}, {0, 16}, {0, 17}, {0, 33}}},
        {"chunks of a prefill, decodes among them",
         8,
         2,
         size,
         0,
         {{16, 16}, {33, 5}, {7, 1}, {0, 3}, {50, 21}}},
        {"window 1", 4, 2, size, 1, {{0, 20}, {40, 1}}},
        {"window 16", 4, 2, size, 16, {{0, 40}, {15, 1}, {16, 1}, {70, 9}}},
        {"window 17", 4, 2, size, 17, {{0, 40}, {16, 1}, {17, 1}, {70, 9}}},
        {"window longer than all", 4, 2, size, 1000, {{0, 40}, {70, 9}, {8, 1}}},
        {"groups of 3", 48, 16, size, 0, {{20, 3}, {33, 1}}},
        {"groups of 3, decode", 48, 16, size, 0, {{20, 1}, {33, 1}}},
        {"groups of 8", 32, 4, 128, 0, {{10, 9}, {3, 1}}},
        {"groups of 8, decode", 32, 4, 128, 0, {{10, 1}, {40, 1}}},
        {"groups of 16", 16, 1, size, 0, {{10, 9}, {3, 1}}},
        {"groups of 32, few tokens", 32, 1, size, 0, {{10, 5}, {33, 2}}},
        {"groups of 32, decode", 32, 1, size, 0, {{40, 1}, {3, 1}}},
        {"heads of 80", 4, 1, 80, 0, {{5, 20}, {30, 1}}},
        {"heads of 80, decode", 4, 1, 80, 0, {{30, 1}}},
        {"heads of 96", 4, 2, 96, 24, {{5, 20}, {30, 1}}},
        {"heads of 96, decode", 4, 2, 96, 24, {{30, 1}}},
        {"long, split over keys", 4, 2, size, 0, {{1500, 1}, {511, 1}, {512, 1}, {513, 1}, {3, 1}}},
        {"long prefill, split over keys", 4, 2, size, 0, {{500, 40}, {0, 3}}},
        {"long with a window, some splits empty", 4, 2, size, 100, {{1500, 1}, {1100, 12}, {3, 1}}},
        {"scores of 10000", 4, 2, size, 0, {{0, 20}, {40, 1}, {700, 1}}, 100},
    };
}

struct CacheAndPath {
    Cache cache;
    ops::AttentionPath path;
};

// The size of heads is a constant of the same code, which takes a second to compile for each, and
// up to twenty with cooperative matrices on CPU implementations: every size runs once, the most
// common two with every cache, one in both builds. q8_0 reads its scales by other sums where a row
// has an odd number of blocks, as heads of 32 and of 96 have.
bool worth_compiling(std::uint32_t head_dim, const CacheAndPath& how, bool bound) {
    const auto [cache, path] = how;
    if (path == ops::AttentionPath::coopmat)
        return cache == Cache::q8_0 ? !bound && (head_dim == 32 || head_dim == 128)
                                    : head_dim == 64;
    if (cache == Cache::q8_0 && head_dim == 96) return !bound;
    return head_dim == 64 || (!bound && (head_dim == 128 || cache == Cache::f32));
}

class Attention : public testing::TestWithParam<CacheAndPath> {
protected:
    void SetUp() override {
        if (GetParam().path == ops::AttentionPath::coopmat &&
            !(test::device().has(Tier::coopmat) && test::bound_device().has(Tier::coopmat)))
            GTEST_SKIP() << test::device().info().tier(Tier::coopmat).note;
    }
    // That most cases have: the size that compiles soonest where another one matters more.
    std::uint32_t head_dim() const {
        const auto [cache, path] = GetParam();
        return cache == Cache::q8_0 && path == ops::AttentionPath::coopmat ? 32 : 64;
    }
};

}  // namespace

TEST_P(Attention, MatchesReference) {
    for (const Case& c : cases(head_dim()))
        for (bool bound : {false, true}) {
            if (!worth_compiling(c.head_dim, GetParam(), bound)) continue;
            Stream s(test::device(bound), {.guard = true});
            const Batch batch(s.device(), GetParam().cache, c, 9);
            const auto actual = batch.on_device(s, batch.everything(), GetParam().path);
            std::size_t first = 0;
            for (std::size_t i = 0; i < c.runs.size(); ++i) {
                const std::size_t size = batch.queries[i].size();
                test::expect_close(std::span(actual).subspan(first, size), batch.expected(i),
                                   allowed(c, GetParam().path),
                                   c.name + ", sequence " + std::to_string(i));
                first += size;
            }
        }
}

// Cut into a dispatch per tile, as long work is on slow devices, the very same comes out.
TEST_P(Attention, CutsChangeNothing) {
    for (const Case& c : cases(head_dim())) {
        if (c.head_dim != head_dim()) continue;
        Stream whole(test::device(), {.guard = true}),
            cut(test::device(), {.guard = true, .dispatch_seconds = 0});
        const Batch batch(whole.device(), GetParam().cache, c, 11);
        EXPECT_EQ(batch.on_device(whole, batch.everything(), GetParam().path),
                  batch.on_device(cut, batch.everything(), GetParam().path))
            << c.name;
    }
}

// A sequence's result does not depend on those beside it, but for how its keys are split.
TEST_P(Attention, BatchEqualsItsSequencesAlone) {
    for (const Case& c : cases(head_dim())) {
        if (c.head_dim != head_dim()) continue;
        Stream s(test::device(), {.guard = true});
        const Batch batch(s.device(), GetParam().cache, c, 10);
        const auto together = batch.on_device(s, batch.everything(), GetParam().path);
        std::size_t first = 0;
        for (const Part& part : batch.everything()) {
            const auto alone = batch.on_device(s, {part}, GetParam().path);
            reference::Expected expected = batch.expected(part.sequence);
            expected.values.assign(alone.begin(), alone.end());
            test::expect_close(std::span(together).subspan(first, alone.size()), expected,
                               2 * allowed(c, GetParam().path),
                               c.name + ", sequence " + std::to_string(part.sequence));
            first += alone.size();
        }
    }
}

// In a batch-invariant stream it does not at all, nor on which of its tokens are in one step.
TEST_P(Attention, BatchInvariantGivesTheSameBits) {
    for (const Case& c : cases(head_dim())) {
        if (c.head_dim != head_dim()) continue;
        Stream s(test::device(), {.guard = true, .batch_invariant = true});
        const Batch batch(s.device(), GetParam().cache, c, 12);
        const auto together = test::bits(batch.on_device(s, batch.everything(), GetParam().path));
        for (std::uint32_t most : {1u, 7u, 1000u}) {
            std::vector<std::uint32_t> apart;
            for (const Part& all : batch.everything())
                for (std::uint32_t first = 0; first < all.tokens; first += most) {
                    const Part part{all.sequence, first, std::min(most, all.tokens - first)};
                    const auto some = test::bits(batch.on_device(s, {part}, GetParam().path));
                    apart.insert(apart.end(), some.begin(), some.end());
                }
            EXPECT_EQ(apart, together) << c.name << ", " << most << " tokens at a time";
        }
    }
}

// What a row does not see does not reach it, infinite though it may be; what it sees does.
TEST_P(Attention, MaskedKeysDoNotCount) {
    for (const std::uint32_t first : {20u, 500u})  // without and with splits
        for (const std::uint32_t window : {0u, 16u}) {
            const Case c{"infinite keys and values",
                         4,
                         2,
                         head_dim(),
                         window,
                         {{first, 60}},
                         1,
                         {first + 25},
                         {first + 32}};
            Stream s(test::device(), {.guard = true});
            const Batch batch(s.device(), GetParam().cache, c, 14);
            const auto actual = batch.on_device(s, batch.everything(), GetParam().path);
            const auto expected = batch.expected(0);
            for (std::uint32_t row = 0; row < 60 * c.heads; ++row) {
                const std::uint32_t position = first + row / c.heads;
                const auto sees = [&](std::uint32_t key) {
                    return key <= position && (window == 0 || position - key < window);
                };
                const auto part = [&](const auto& values) {
                    return std::span(values).subspan(row * c.head_dim, c.head_dim);
                };
                const std::string name = "row " + std::to_string(row) + " of " +
                                         std::to_string(first) + ", window " +
                                         std::to_string(window);
                if (sees(first + 25) || sees(first + 32)) {
                    EXPECT_FALSE(std::ranges::all_of(part(actual), [](float y) {
                        return std::isfinite(y);
                    })) << name;
                    continue;
                }
                const auto values = part(expected.values), magnitudes = part(expected.magnitudes);
                test::expect_close(
                    part(actual),
                    {{values.begin(), values.end()}, {magnitudes.begin(), magnitudes.end()}},
                    allowed(c, GetParam().path), name);
            }
        }
}

struct Untuned {
    ~Untuned() { ops::set_tuning(test::device(), {}); }
};

// What was measured to be the best is gone by and right, but not where sums are to be
// batch-invariant.
TEST(Attention, GoesByItsTuning) {
    const Case c{"one token, and a prompt's end", 4, 2, 32, 0, {{530, 1}, {500, 12}}};
    const std::pair<ops::AttentionCut, const char*> cuts[] = {
        {{ops::AttentionPath::cooperative, 2, 128}, "attention."},
        {{ops::AttentionPath::coopmat, 16, 144}, "attention_coopmat."},
        {{ops::AttentionPath::direct, 0, 256}, "attention_direct."}};
    const auto splits = [](std::uint32_t keys) { return (531 + keys - 1) / keys; };
    const Untuned after;
    for (const auto& [cut, kernel] : cuts) {
        const ops::AttentionClass one{Cache::f16, c.head_dim, false},
            prompt{Cache::f16, c.head_dim, true};
        if (!ops::fits(test::device().info(), cut, one)) continue;
        ops::set_tuning(test::device(),
                        {.date = "", .choices = {}, .attention = {{one, cut}, {prompt, cut}}});
        for (const bool invariant : {false, true}) {
            Stream s(test::device(),
                     {.profile = true, .guard = true, .batch_invariant = invariant});
            const Batch batch(s.device(), Cache::f16, c, 15);
            s.clear_profile();
            const auto actual =
                batch.on_device(s, batch.everything(), ops::AttentionPath::automatic);
            const std::string name = text(cut) + (invariant ? ", invariant" : "");
            ASSERT_EQ(s.profile().size(), 3u) << name;  // one token, prompt, joined
            for (const std::size_t part : {0u, 1u})
                EXPECT_TRUE(invariant || s.profile()[part].kernel.starts_with(kernel)) << name;
            const std::uint32_t rows = 13 * c.heads, row = c.head_dim + 2;  // and the results
            EXPECT_EQ(s.profile()[2].cost.bytes,
                      4.0 * rows * (splits(invariant ? 512 : cut.split_keys) * row + c.head_dim))
                << name;
            const std::size_t first = batch.queries[0].size();
            test::expect_close(std::span(actual).subspan(0, first), batch.expected(0),
                               allowed(c, cut.path), name + ", one token");
            test::expect_close(std::span(actual).subspan(first), batch.expected(1),
                               allowed(c, cut.path), name + ", prompt");
        }
    }
}

// A device may offer no more than 65535 workgroups along each axis.
TEST(Attention, JoinsSplitsOfManyRows) {
    Case c{"many rows", 32, 1, 64, 0, {{512, 1}}};  // 2049 * 32 heads in all
    c.runs.resize(2049, {0, 1});
    Stream s(test::device(), {.batch_invariant = true});
    const Batch batch(s.device(), Cache::f32, c, 13);
    const auto actual = batch.on_device(s, batch.everything(), ops::AttentionPath::automatic);
    const std::size_t size = batch.queries[0].size();
    for (const std::size_t i : {std::size_t{0}, c.runs.size() - 1})
        test::expect_close(std::span(actual).subspan(i * size, size), batch.expected(i),
                           allowed(c, ops::AttentionPath::automatic),
                           "sequence " + std::to_string(i));
}

std::vector<CacheAndPath> variants() {
    std::vector<CacheAndPath> all;
    for (auto path :
         {ops::AttentionPath::cooperative, ops::AttentionPath::direct, ops::AttentionPath::coopmat})
        for (std::uint16_t i = 0; i < axis_size<Cache>; ++i)
            if (path != ops::AttentionPath::coopmat || static_cast<Cache>(i) != Cache::f32)
                all.push_back({static_cast<Cache>(i), path});
    return all;
}

std::string variant_name(const testing::TestParamInfo<CacheAndPath>& variant) {
    constexpr std::array paths{"automatic", "cooperative", "direct", "coopmat"};
    return std::string(info(variant.param.cache).name) + "_" +
           paths.at(static_cast<std::size_t>(variant.param.path));
}

INSTANTIATE_TEST_SUITE_P(Variants, Attention, testing::ValuesIn(variants()), variant_name);

}  // namespace assay
