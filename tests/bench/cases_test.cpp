// Which cases there are, what they cost, and how they are chosen.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "bench/kernels/cost.h"
#include "bench/kernels/filter.h"
#include "bench/kernels/selection.h"
#include "runtime/error.h"

namespace assay::bench {
namespace {

std::vector<Case> chosen(const std::string& filter, bool all = false) {
    return select_cases({filter}, false, all, false).cases;
}

TEST(Cases, HaveNamesOfTheirOwn) {
    std::set<std::string> names;
    for (const Case& c : all_cases()) EXPECT_TRUE(names.insert(c.name()).second) << c.name();
    EXPECT_TRUE(names.contains("matmul w13 q4_0 mistral-7b rows=8"));
    EXPECT_TRUE(names.contains("experts down iq1_m mixtral-8x7b rows=2048"));
    EXPECT_TRUE(names.contains("attention kv=q8_0 llama-2-13b rows=64 keys=4096"));
    EXPECT_TRUE(names.contains("repack f32 small"));
}

TEST(Cases, HaveEveryNumberOfRowsOnce) {
    std::multiset<std::uint32_t> rows;
    for (const Case& c : chosen("matmul q4_0 mistral part=wo", true)) rows.insert(c.rows);
    EXPECT_EQ(rows.size(), 66u);
    for (std::uint32_t n = 1; n <= 64; ++n) EXPECT_EQ(rows.count(n), 1u) << n;
    EXPECT_EQ(rows.count(512) + rows.count(2048), 2u);
}

// Two models with one shape are measured together, and found by either name.
TEST(Cases, ShareShapes) {
    const auto mistral = chosen("matmul q4_0 mistral part=wqkv rows=1"),
               mixtral = chosen("matmul q4_0 mixtral part=wqkv rows=1");
    ASSERT_EQ(mistral.size(), 1u);
    ASSERT_EQ(mixtral.size(), 1u);
    EXPECT_EQ(mistral[0].name(), mixtral[0].name());
    EXPECT_TRUE(chosen("matmul q4_0 llama part=wqkv rows=1").empty() == false);
}

TEST(Costs, AreCountedByHand) {
    // q4_0: 18 bytes for 32 weights. 3 rows of 64 in, 32 out.
    const double weight = 64 / 32 * 18 * 32;
    const Cost store = product_cost(Format::q4_0, 64, 32, Epilogue::store, 3, 3, 1);
    EXPECT_EQ(store.bytes, weight + 4 * 3 * 64 + 4 * 3 * 32);
    EXPECT_EQ(store.flops, 2 * 3 * 64 * 32);
    EXPECT_EQ(product_cost(Format::q4_0, 64, 32, Epilogue::add, 3, 3, 1).bytes,
              store.bytes + 4 * 3 * 32);  // what is added to is read too
    EXPECT_EQ(product_cost(Format::q4_0, 64, 32, Epilogue::swiglu, 3, 3, 1).bytes,
              store.bytes - 4 * 3 * 16);  // half as wide
    // Two experts' weights, four routed rows of two tokens.
    EXPECT_EQ(product_cost(Format::q4_0, 64, 32, Epilogue::store, 4, 2, 2).bytes,
              2 * weight + 4 * 2 * 64 + 4 * 4 * 32);

    const ModelShape model{"", 0, 4, 2, 64, 0, 0};
    // 2 texts with 3 new tokens of 10: they see 8, 9 and 10 keys.
    const Cost attention = attention_cost(model, Cache::f16, 2, 3, 10);
    EXPECT_EQ(attention.flops, 2 * (8 + 9 + 10) * 4.0 * 4 * 64);
    EXPECT_EQ(attention.bytes, 2 * 10 * 2 * 2 * 64 * 2.0 + 2 * 4 * 2 * 3 * 4 * 64);
}

TEST(Filter, TakesWhatItsWordsSay) {
    for (const Case& c : chosen("matmul q4_0 mistral rows=1..8")) {
        EXPECT_EQ(c.shape->operation, Operation::matmul);
        EXPECT_EQ(c.format, Format::q4_0);
        EXPECT_GE(c.rows, 1u);
        EXPECT_LE(c.rows, 8u);
    }
    // Of the parts, which no word speaks of, the four usual ones: wo, w13, w2, head.
    EXPECT_EQ(chosen("matmul q4_0 mistral rows=1..8").size(), 4u * 8);
    EXPECT_EQ(chosen("matmul q4_0 mistral rows=1..8", true).size(), 5u * 8);  // and wqkv
    EXPECT_EQ(chosen("matmul q4_0,q8_0 part=w2 mistral rows=1..3,7").size(), 2u * 4);
    EXPECT_EQ(chosen("attention mistral kv=q8_0 rows=1 keys=4096").size(), 1u);
}

TEST(Filter, AWholeNameIsNoBeginning) {
    std::set<Format> begun, whole;
    for (const Case& c : chosen("embed iq2 rows=1", true)) begun.insert(*c.format);
    for (const Case& c : chosen("embed f16 rows=1", true)) whole.insert(*c.format);
    EXPECT_EQ(begun, (std::set{Format::iq2_s, Format::iq2_xs, Format::iq2_xxs}));
    EXPECT_EQ(whole, std::set{Format::f16});
}

TEST(Filter, SeveralAddUp) {
    const auto both =
        select_cases({"rmsnorm mistral rows=1", "gather mistral rows=2"}, false, false, false)
            .cases;
    EXPECT_EQ(both.size(), 2u);
}

TEST(Filter, NamesWhatItDoesNotKnow) {
    constexpr std::pair<const char*, const char*> wrong[] = {
        {"matmul q9_0", "'q9_0'"},
        {"color=red", "'color=red'"},
        {"rows=x", "'x'"},
        {"rows=8..4", "'8..4'"},
        {"rows=1..", "'1..'"},
        {"format=q4_0,zz", "'zz'"},
        {"kv=", "''"},
        {"rows=99", "no case fits"},
        {"rmsnorm q4_0", "no case fits"},
    };
    for (const auto& [text, named] : wrong) try {
            select_cases({text}, false, false, false);
            ADD_FAILURE() << text << " was taken";
        } catch (const Error& error) {
            EXPECT_NE(std::string(error.what()).find(named), std::string::npos) << error.what();
        }
}

TEST(Selection, IsSmallWhereTimeIsShort) {
    const auto usual = select_cases({}, false, false, false),
               quick = select_cases({}, false, false, true),
               all = select_cases({}, false, true, false),
               cpu = select_cases({}, true, false, false);
    EXPECT_LT(quick.cases.size(), usual.cases.size() / 4);
    EXPECT_LT(cpu.cases.size(), usual.cases.size() / 2);
    EXPECT_EQ(all.cases.size(), all.of);
    EXPECT_GT(all.of, 10000u);
    for (const Case& c : all.cases) EXPECT_EQ(std::ranges::count(c.shape->models, "tiny"), 0);
    for (const Selection* selection : {&usual, &quick, &cpu}) {
        std::set<Operation> operations;
        for (const Case& c : selection->cases) operations.insert(c.shape->operation);
        EXPECT_EQ(operations.size(), std::size(operation_names));
    }
}

}  // namespace
}  // namespace assay::bench
