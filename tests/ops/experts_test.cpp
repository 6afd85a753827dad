#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <deque>
#include <numeric>

#include "runtime/ops/tiling.h"
#include "tests/support/tensors.h"

namespace assay {
namespace {

using ops::MatmulPath;
using test::FileWeight;

// As in matmul_test.cpp; a gate and the product with it add a few roundings, and the errors of both
// (silu is at most 1.1 steep).
double allowed(MatmulPath path, std::uint32_t in_dim) {
    constexpr double half_rounding = 0x1p-11;
    return (20 + std::sqrt(in_dim)) * test::rounding +
           (test::takes_halves(path) ? 2.1 * 2 * half_rounding : 0);
}

// The rows of two weights in turn, as repack is to lay them out.
FileWeight both(const FileWeight& even, const FileWeight& odd) {
    FileWeight joined{even.format, 2 * even.out_dim, even.in_dim, even.bytes};
    joined.bytes.insert(joined.bytes.end(), odd.bytes.begin(), odd.bytes.end());
    return joined;
}

// One weight of every expert on the device. Slots lie in another order than the experts, with room
// between them.
class DeviceStack {
public:
    DeviceStack(Stream& s, const std::vector<FileWeight>& experts, bool halves,
                test::Random& random) {
        const FileWeight& file = experts.front();
        const auto count = static_cast<std::uint32_t>(experts.size());
        stack_.first = {0, file.out_dim, file.in_dim, file.format};
        stack_.slot_bytes = (stack_.first.bytes() + 4095) / 4096 * 4096;
        weights_ = Buffer(s.device(), stack_.slot_bytes * count, Memory::device, "experts");
        slots_ = Buffer(s.device(), count * 4, Memory::upload, "slots");
        const auto order = random.permutation(count);
        std::memcpy(slots_.host().data(), order.data(), count * sizeof order[0]);
        for (std::uint32_t e = 0; e < count; ++e) {
            Weight weight = stack_.first;
            weight.address = weights_.address() + order[e] * stack_.slot_bytes;
            ops::repack(s, test::upload_bytes(s, experts[e].bytes), file.out_dim, 0, weight,
                        {.halves = halves});
        }
        stack_.first.address = weights_.address();
        stack_.slots = {slots_.address(), {count, 1, 1}};
    }
    const WeightStack& stack() const { return stack_; }

private:
    Buffer weights_, slots_;
    WeightStack stack_;
};

struct Shape {
    std::uint32_t tokens, experts, top_k, hidden, intermediate;
};

// The weights of some experts, on the host and on the device.
struct ExpertSet {
    ExpertSet(Stream& s, const Shape& shape, Format up_format, Format down_format, bool interleaved,
              test::Random& random) {
        std::vector<FileWeight> joined;
        for (std::uint32_t e = 0; e < shape.experts; ++e) {
            w1.push_back(test::random_weight(up_format, shape.intermediate, shape.hidden, random));
            w3.push_back(test::random_weight(up_format, shape.intermediate, shape.hidden, random));
            w2.push_back(
                test::random_weight(down_format, shape.hidden, shape.intermediate, random));
            joined.push_back(both(w1.back(), w3.back()));
        }
        if (interleaved) {
            on_device.emplace_back(s, joined, true, random);
            weights.w1 = on_device.back().stack();
        } else {
            on_device.emplace_back(s, w1, false, random);
            weights.w1 = on_device.back().stack();
            on_device.emplace_back(s, w3, false, random);
            weights.w3 = on_device.back().stack();
        }
        on_device.emplace_back(s, w2, false, random);
        weights.w2 = on_device.back().stack();
    }

    std::vector<FileWeight> w1, w3, w2;
    std::vector<DeviceStack> on_device;
    ops::ExpertWeights weights;
};

// silu(x w1^T) * x w3^T for the experts chosen. An error of the gate is multiplied by at most
// 1.1 |up|, the greatest slope of silu, one of `up` by |silu(gate)|.
reference::Expected expected_up(const ExpertSet& set, const std::vector<float>& x,
                                const std::vector<std::uint32_t>& chosen, const Shape& shape) {
    reference::Expected y;
    for (std::size_t row = 0; row < chosen.size(); ++row) {
        const auto token = std::span(x).subspan(row / shape.top_k * shape.hidden, shape.hidden);
        const auto gate = reference::matmul(set.w1[chosen[row]].values(), token, shape.hidden, {});
        const auto up = reference::matmul(set.w3[chosen[row]].values(), token, shape.hidden, {});
        for (std::size_t i = 0; i < gate.values.size(); ++i) {
            const double silu = gate.values[i] / (1 + std::exp(-gate.values[i]));
            y.values.push_back(silu * up.values[i]);
            y.magnitudes.push_back(1.1 * gate.magnitudes[i] * std::fabs(up.values[i]) +
                                   std::fabs(silu) * up.magnitudes[i]);
        }
    }
    return y;
}

reference::Expected expected_down(const ExpertSet& set, const std::vector<float>& x,
                                  const std::vector<std::uint32_t>& chosen, const Shape& shape) {
    reference::Expected y;
    for (std::size_t row = 0; row < chosen.size(); ++row) {
        const auto part =
            reference::matmul(set.w2[chosen[row]].values(),
                              std::span(x).subspan(row * shape.intermediate, shape.intermediate),
                              shape.intermediate, {});
        y.values.insert(y.values.end(), part.values.begin(), part.values.end());
        y.magnitudes.insert(y.magnitudes.end(), part.magnitudes.begin(), part.magnitudes.end());
    }
    return y;
}

void expect_products(Stream& s, const Shape& shape, const ExpertSet& set, MatmulPath path,
                     const std::string& what) {
    test::Random random(17);
    const auto logits = random.normals(std::size_t{shape.tokens} * shape.experts, 2),
               x = random.normals(std::size_t{shape.tokens} * shape.hidden),
               up = random.normals(std::size_t{shape.tokens} * shape.top_k * shape.intermediate);
    const ops::Routing routing =
        ops::route(s, test::upload(s, logits, {shape.tokens, shape.experts, 1}), shape.top_k,
                   set.weights, path);
    const auto chosen = test::download<std::uint32_t>(s, routing.chosen);
    const auto y = test::download(
        s, ops::experts_up(s, set.weights, test::upload(s, x, {shape.tokens, shape.hidden, 1}),
                           routing));
    const auto z = test::download(
        s, ops::experts_down(
               s, set.weights,
               test::upload(s, up, {shape.tokens * shape.top_k, shape.intermediate, 1}), routing));
    s.wait();
    test::expect_close(y, expected_up(set, x, chosen, shape), allowed(path, shape.hidden),
                       what + ", up");
    test::expect_close(z, expected_down(set, up, chosen, shape), allowed(path, shape.intermediate),
                       what + ", down");
}

std::string text(const Shape& shape) {
    return std::to_string(shape.tokens) + " tokens, " + std::to_string(shape.top_k) + " of " +
           std::to_string(shape.experts) + " experts, " + std::to_string(shape.hidden) + " x " +
           std::to_string(shape.intermediate);
}

}  // namespace

TEST(Experts, RouteChoosesAsReference) {
    for (bool bound : {false, true}) {
        Stream s(test::device(bound), {.guard = true});
        for (const Shape& shape : {Shape{1, 1, 1, 32, 32},
                                   {1, 4, 2, 32, 32},
                                   {65, 8, 2, 32, 32},
                                   {3, 8, 8, 32, 32},
                                   {64, 300, 6, 32, 32}}) {
            test::Random random(4);
            const ExpertSet set(s, {1, shape.experts, 1, 32, 32}, Format::f32, Format::f32, true,
                                random);
            auto logits = random.normals(std::size_t{shape.tokens} * shape.experts, 3);
            for (std::size_t i = 0; i + 1 < logits.size(); i += 3)
                logits[i + 1] = logits[i];  // ties
            const ops::Routing routing =
                ops::route(s, test::upload(s, logits, {shape.tokens, shape.experts, 1}),
                           shape.top_k, set.weights);
            const auto chosen = test::download<std::uint32_t>(s, routing.chosen);
            const auto weights = test::download(s, routing.weights);
            s.wait();
            const auto expected = reference::route(logits, shape.experts, shape.top_k);
            EXPECT_EQ(chosen, expected.experts) << text(shape);
            // exp(x) may be off by 3 + 2 |x| units in the last place; |x| stays below 40.
            test::expect_close(weights, {expected.weights, expected.weights},
                               (8 + 4 * 40) * test::rounding, text(shape));
        }
    }
}

// A router that is not a number must not look like a choice.
TEST(Experts, RouteShowsWhatIsNotANumber) {
    Stream s(test::device(), {.guard = true});
    test::Random random(4);
    const ExpertSet set(s, {1, 4, 1, 32, 32}, Format::f32, Format::f32, true, random);
    for (std::uint32_t broken = 0; broken < 4; ++broken) {
        std::vector<float> logits{3, 1, 2, 4, 1, 2, 3, 4};
        logits[broken] = NAN;
        const ops::Routing routing =
            ops::route(s, test::upload(s, logits, {2, 4, 1}), 2, set.weights);
        const auto chosen = test::download<std::uint32_t>(s, routing.chosen);
        const auto weights = test::download(s, routing.weights);
        s.wait();
        for (std::uint32_t expert : chosen) EXPECT_LT(expert, 4u);
        EXPECT_TRUE(std::isnan(weights[0]) && std::isnan(weights[1])) << broken;
        EXPECT_EQ((std::vector(chosen.begin() + 2, chosen.end())),
                  (std::vector<std::uint32_t>{3, 2}));
        EXPECT_NEAR(weights[2] + weights[3], 1, 1e-6);
    }
}

// Every routed row lies in exactly one tile, which holds rows of one expert alone.
TEST(Experts, TilesHoldEachRowOnce) {
    for (bool bound : {false, true}) {
        Stream s(test::device(bound), {.guard = true});
        for (const Shape& shape : {Shape{1, 1, 1, 32, 32},
                                   {1, 8, 2, 32, 32},
                                   {7, 8, 2, 32, 32},
                                   {130, 3, 3, 32, 32},
                                   {33, 300, 4, 32, 32}})
            for (MatmulPath path : test::matmul_paths()) {
                test::Random random(5);
                const ExpertSet set(s, {1, shape.experts, 1, 32, 32}, Format::f32, Format::f32,
                                    true, random);
                const auto logits = random.normals(std::size_t{shape.tokens} * shape.experts);
                const ops::Routing routing =
                    ops::route(s, test::upload(s, logits, {shape.tokens, shape.experts, 1}),
                               shape.top_k, set.weights, path);
                const auto chosen = test::download<std::uint32_t>(s, routing.chosen),
                           order = test::download<std::uint32_t>(s, routing.order),
                           tiles = test::download<std::uint32_t>(s, routing.tiles),
                           groups = test::download<std::uint32_t>(s, routing.groups);
                s.wait();
                std::vector<std::uint32_t> seen;
                ASSERT_LE(groups[0] * 3, tiles.size()) << text(shape);
                for (std::uint32_t t = 0; t < groups[0]; ++t) {
                    const auto expert = tiles[3 * t], first = tiles[3 * t + 1],
                               rows = tiles[3 * t + 2];
                    ASSERT_LE(first + rows, order.size()) << text(shape);
                    ASSERT_GT(rows, 0u);
                    for (std::uint32_t i = first; i < first + rows; ++i) {
                        seen.push_back(order[i]);
                        EXPECT_EQ(chosen[order[i]], expert) << text(shape);
                    }
                }
                std::ranges::sort(seen);
                std::vector<std::uint32_t> every(chosen.size());
                std::iota(every.begin(), every.end(), 0u);
                EXPECT_EQ(seen, every) << text(shape);
                EXPECT_EQ(groups[3], groups[0]);
            }
    }
}

// Both products of an expert are cut as was measured for its first, whatever their formats.
TEST(Experts, GoByATuning) {
    Stream s(test::device(), {.profile = true, .guard = true});
    test::Random random(6);
    const Shape shape{20, 3, 2, 256, 512};  // 20 rows for an expert
    const ExpertSet set(s, shape, Format::q4_k, Format::q8_0, true, random);
    const ops::Cut cut{MatmulPath::skinny, {6, 3}};
    ops::set_tuning(test::device(),
                    {.date = "", .choices = {{{Rows::grouped, Format::q4_k, 4, false}, cut}}});
    s.wait();
    s.clear_profile();
    expect_products(s, shape, set, MatmulPath::automatic, "tuned");
    std::size_t products = 0;
    for (const ProfileEvent& event : s.profile())
        if (event.kernel.starts_with("skinny")) {
            EXPECT_EQ(event.constants.values[0], 16 * 3u) << event.kernel;
            EXPECT_EQ(event.constants.values[1], 5u) << event.kernel;  // four tiles for 20 rows
            ++products;
        }
    EXPECT_EQ(products, 2u);
    ops::set_tuning(test::device(), {});
}

class ExpertProducts : public testing::TestWithParam<Format> {};

TEST_P(ExpertProducts, MatchReference) {
    const std::uint32_t block = std::max(info(GetParam()).block_size, 32u);
    for (bool bound : {false, true}) {
        if (bound && GetParam() != Format::q4_k)
            continue;  // the others differ in their decoders alone
        Stream s(test::device(bound), {.guard = true});
        test::Random random(9);
        const Shape shape{20, 3, 2, block, 2 * block};
        const ExpertSet set(s, shape, GetParam(), GetParam(), true, random);
        for (MatmulPath path : test::matmul_paths(GetParam() == Format::q4_k))
            expect_products(s, shape, set, path, test::name(path) + (bound ? ", bound" : ""));
    }
}

INSTANTIATE_TEST_SUITE_P(Formats, ExpertProducts, testing::ValuesIn(test::all_formats()),
                         [](const auto& format) {
                             return std::string(assay::info(format.param).name);
                         });

// One token to more than a tile of each expert; more experts than rows; experts that nobody chose.
TEST(Experts, ProductsMatchReferenceAtEverySize) {
    for (bool bound : {false, true}) {
        Stream s(test::device(bound), {.guard = true});
        for (const Shape& shape : {Shape{1, 8, 2, 64, 96},
                                   {2, 4, 2, 32, 32},
                                   {3, 1, 1, 96, 64},
                                   {5, 40, 4, 64, 32},
                                   {17, 4, 4, 32, 160},
                                   {70, 2, 1, 64, 32},
                                   {64, 8, 2, 256, 512}}) {
            test::Random random(10);
            const ExpertSet set(s, shape, Format::f16, Format::q8_0, true, random);
            for (MatmulPath path : test::matmul_paths(!bound && shape.tokens >= 64))
                expect_products(s, shape, set, path,
                                test::name(path) + ", " + text(shape) + (bound ? ", bound" : ""));
        }
    }
}

TEST(Experts, GateAndUpInDifferentPlacesGiveTheSame) {
    Stream s(test::device(), {.guard = true});
    test::Random random(11);
    const Shape shape{9, 4, 2, 64, 96};
    const ExpertSet set(s, shape, Format::q4_0, Format::q4_0, false, random);
    for (MatmulPath path : test::matmul_paths()) expect_products(s, shape, set, path, "apart");
}

// Cut into dispatches of few columns, as long work is on slow devices, the very same comes out.
TEST(Experts, CutsChangeNothing) {
    Stream whole(test::device(), {.profile = true});
    Stream cut(test::device(), {.profile = true, .dispatch_seconds = 0});
    const Shape shape{40, 4, 2, 64, 160};
    for (MatmulPath path : test::matmul_paths()) {
        std::vector<std::vector<float>> results;
        std::vector<std::size_t> dispatches;
        for (Stream* s : {&whole, &cut}) {
            test::Random random(12);
            const ExpertSet set(*s, shape, Format::f16, Format::f16, true, random);
            const auto logits = random.normals(std::size_t{shape.tokens} * shape.experts),
                       x = random.normals(std::size_t{shape.tokens} * shape.hidden);
            s->wait();
            s->clear_profile();
            const auto routing =
                ops::route(*s, test::upload(*s, logits, {shape.tokens, shape.experts, 1}),
                           shape.top_k, set.weights, path);
            results.push_back(test::download(
                *s,
                ops::experts_down(
                    *s, set.weights,
                    ops::experts_up(*s, set.weights,
                                    test::upload(*s, x, {shape.tokens, shape.hidden, 1}), routing),
                    routing)));
            s->wait();
            dispatches.push_back(s->profile().size());
        }
        EXPECT_EQ(results[0], results[1]);
        // route, sort, two products; operands in halves
        EXPECT_EQ(dispatches[0], test::takes_halves(path) ? 6u : 4u);
        EXPECT_GE(dispatches[1], dispatches[0] + 4);  // 5 of 320 columns on the widest path
    }
}

// In a batch-invariant stream a token has the same bits whatever the number of tokens.
TEST(Experts, NumberOfTokensChangesNoBit) {
    Stream s(test::device(), {.guard = true, .batch_invariant = true});
    const Shape shape{40, 4, 2, 64, 160};
    test::Random random(15);
    const ExpertSet set(s, shape, Format::q4_0, Format::f16, true, random);
    const auto logits = random.normals(std::size_t{shape.tokens} * shape.experts),
               x = random.normals(std::size_t{shape.tokens} * shape.hidden);
    const auto compute = [&](std::uint32_t tokens, MatmulPath path) {
        const auto first = [&](const std::vector<float>& values, std::uint32_t row_size) {
            return test::upload(s, values, {shape.tokens, row_size, 1}).slice(0, tokens);
        };
        const auto routing =
            ops::route(s, first(logits, shape.experts), shape.top_k, set.weights, path);
        const Tensor up = ops::experts_up(s, set.weights, first(x, shape.hidden), routing);
        const Tensor y = first(x, shape.hidden);
        ops::combine_add(s, ops::experts_down(s, set.weights, up, routing), routing, y);
        const auto values = test::download(s, y);
        s.wait();
        return test::bits(values);
    };
    for (MatmulPath path :
         {MatmulPath::automatic, MatmulPath::direct, MatmulPath::skinny, MatmulPath::tiled}) {
        const auto all = compute(shape.tokens, path);
        for (std::uint32_t tokens : {1u, 2u, 3u, 7u, 12u, 25u})
            EXPECT_TRUE(std::ranges::equal(compute(tokens, path),
                                           std::span(all).first(tokens * shape.hidden)))
                << tokens << " tokens";
    }
}

// By products of bytes, a routed row has the bits of the dense product with its expert's weight.
void expect_products_of_each_expert_alone(const ops::Cut& cut) {
    const Shape shape{9, 3, 2, 256, 96};
    for (const bool bound : {false, true}) {
        const auto products = ops::product_class(
            Rows::grouped, Format::q4_k, ops::expert_rows(shape.tokens, shape.top_k, shape.experts),
            shape.intermediate, true);
        ops::set_tuning(test::device(bound), {.date = "", .choices = {{products, cut}}});
        Stream s(test::device(bound), {.guard = true});
        test::Random random(18);
        const ExpertSet set(s, shape, Format::q4_k, Format::q5_0, false, random);
        const auto logits = random.normals(std::size_t{shape.tokens} * shape.experts),
                   values = random.normals(std::size_t{shape.tokens} * shape.hidden);
        const Tensor x = test::upload(s, values, {shape.tokens, shape.hidden, 1});
        const auto routing =
            ops::route(s, test::upload(s, logits, {shape.tokens, shape.experts, 1}), shape.top_k,
                       set.weights, MatmulPath::dot);
        ASSERT_EQ(routing.path, MatmulPath::dot);
        const Tensor up = ops::experts_up(s, set.weights, x, routing);
        const auto chosen = test::download<std::uint32_t>(s, routing.chosen);
        const auto ups = test::download(s, up),
                   downs = test::download(s, ops::experts_down(s, set.weights, up, routing));
        std::deque<test::DeviceWeight> weights;
        std::vector<std::vector<float>> dense_ups, dense_downs;  // of all rows, by expert
        const auto dense = [&](const FileWeight& w, const Tensor& of) {
            return ops::matmul(s, weights.emplace_back(s, w), of, cut);
        };
        for (std::uint32_t e = 0; e < shape.experts; ++e) {
            dense_ups.push_back(
                test::download(s, ops::silu_mul(s, dense(set.w1[e], x), dense(set.w3[e], x))));
            dense_downs.push_back(test::download(s, dense(set.w2[e], up)));
        }
        s.wait();
        for (std::size_t row = 0; row < chosen.size(); ++row) {
            const auto part = [&](const std::vector<float>& all, std::size_t at, std::size_t size) {
                return test::bits(std::span(all).subspan(at * size, size));
            };
            EXPECT_EQ(part(ups, row, shape.intermediate),
                      part(dense_ups[chosen[row]], row / shape.top_k, shape.intermediate))
                << "row " << row;
            EXPECT_EQ(part(downs, row, shape.hidden),
                      part(dense_downs[chosen[row]], row, shape.hidden))
                << "row " << row;
        }
        ops::set_tuning(test::device(bound), {});
    }
}

TEST(Experts, DotProductsAreThoseOfEachExpertAlone) {
    for (const bool bound : {false, true})
        if (!test::device(bound).has(Tier::dot))
            GTEST_SKIP() << test::device(bound).info().tier(Tier::dot).note;
    expect_products_of_each_expert_alone({MatmulPath::dot, {}});
}

TEST(Experts, MatricesOfBytesAreThoseOfEachExpertAlone) {
    for (const bool bound : {false, true})
        if (!test::device(bound).has(Tier::coopmat_s8))
            GTEST_SKIP() << test::device(bound).info().tier(Tier::coopmat_s8).note;
    expect_products_of_each_expert_alone({MatmulPath::dot, {8, 32, 8, 16, 1}});
}

// Where one of an expert's weights is in another format, none is multiplied by bytes.
TEST(Experts, TakeThePathThatServesAllWeights) {
    Stream s(test::device(), {.int8_activations = true});
    test::Random random(19);
    const Shape shape{3, 2, 1, 64, 96};
    const auto logits = random.normals(std::size_t{shape.tokens} * shape.experts);
    for (const auto& [up, down, by_bytes] : {std::tuple{Format::q8_0, Format::q4_0, true},
                                             {Format::q8_0, Format::f16, false},
                                             {Format::f32, Format::q8_0, false}}) {
        const ExpertSet set(s, shape, up, down, true, random);
        const auto routing = ops::route(
            s, test::upload(s, logits, {shape.tokens, shape.experts, 1}), shape.top_k, set.weights);
        EXPECT_EQ(routing.path == MatmulPath::dot, by_bytes) << info(down).name;
        s.wait();
    }
}

// The dense product with the same epilogue.
TEST(MatmulSwiglu, MatchesReferenceOnEveryPath) {
    for (bool bound : {false, true}) {
        Stream s(test::device(bound), {.guard = true});
        for (const Shape& shape :
             {Shape{1, 1, 1, 64, 32}, {5, 1, 1, 256, 96}, {70, 1, 1, 96, 160}}) {
            test::Random random(14);
            const ExpertSet set(s, shape, Format::q8_0, Format::f32, true, random);
            Weight w13 = set.weights.w1.first;  // the only expert's
            const auto x = random.normals(std::size_t{shape.tokens} * shape.hidden);
            const std::vector<std::uint32_t> chosen(shape.tokens);
            for (MatmulPath path : test::matmul_paths()) {
                const auto y = test::download(
                    s, ops::matmul_swiglu(
                           s, w13, test::upload(s, x, {shape.tokens, shape.hidden, 1}), path));
                s.wait();
                test::expect_close(y, expected_up(set, x, chosen, shape),
                                   allowed(path, shape.hidden), text(shape));
            }
        }
    }
}

}  // namespace assay
