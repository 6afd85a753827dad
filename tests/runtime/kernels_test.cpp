#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>

#include "kernels.gen.h"

// What the build finds out about kernels by following pointers through their code.
namespace assay {
namespace {

enum class Access { none, read, write, change };

Access access_of(const Spirv& kernel, std::size_t offset) {
    for (const PointerAccess& pointer : kernel.accesses)
        if (pointer.offset == offset)
            return pointer.reads ? pointer.writes ? Access::change : Access::read : Access::write;
    return Access::none;
}

const Spirv& find(std::span<const Spirv> table, std::string_view name) {
    const auto found = std::ranges::find(table, name, &Spirv::name);
    if (found == table.end()) throw std::out_of_range(std::string(name));
    return *found;
}

}  // namespace

TEST(Kernels, TellWhatTheyReadAndWrite) {
    using namespace shader;
    struct Case {
        const char* kernel;
        std::map<std::size_t, Access> accesses;  // by place in the parameter struct
    };
    const std::map<std::size_t, Access> matmul = {{offsetof(MatmulParams, weight), Access::read},
                                                  {offsetof(MatmulParams, x), Access::read},
                                                  {offsetof(MatmulParams, y), Access::change}},
                                        of_packed = {{offsetof(MatmulParams, weight), Access::read},
                                                     {offsetof(MatmulParams, packed), Access::read},
                                                     {offsetof(MatmulParams, scales), Access::read},
                                                     {offsetof(MatmulParams, y), Access::change}};
    const auto grouped = [](std::map<std::size_t, Access> product) {
        for (const std::size_t pointer :
             {offsetof(MatmulParams, tiles), offsetof(MatmulParams, order),
              offsetof(MatmulParams, slots)})
            product[pointer] = Access::read;
        return product;
    };
    const Case cases[] = {
        {"direct.q4_0.all", matmul},
        {"skinny.f32.all", matmul},
        {"tiled.q6_k.all", matmul},
        {"tiled.q8_0.grouped", grouped(matmul)},
        {"skinny.bf16.grouped", grouped(matmul)},
        {"dot.q4_k.all", of_packed},
        {"dot_coopmat.q4_k.all", of_packed},
        {"coopmat2.q4_k.elements.all", of_packed},
        {"coopmat2.f16.tensor.grouped", grouped(of_packed)},
        {"quantise.grouped",
         {{offsetof(QuantiseParams, x), Access::read},
          {offsetof(QuantiseParams, order), Access::read},
          {offsetof(QuantiseParams, bytes), Access::write},
          {offsetof(QuantiseParams, scales), Access::write}}},
        {"gather",
         {{offsetof(GatherParams, x), Access::read},
          {offsetof(GatherParams, rows), Access::read},
          {offsetof(GatherParams, y), Access::write}}},
        {"embed.bf16",
         {{offsetof(EmbedParams, weight), Access::read},
          {offsetof(EmbedParams, tokens), Access::read},
          {offsetof(EmbedParams, y), Access::write}}},
        {"rope.f16",
         {{offsetof(RopeParams, q), Access::read},
          {offsetof(RopeParams, k), Access::read},
          {offsetof(RopeParams, v), Access::read},
          {offsetof(RopeParams, turned), Access::write},
          {offsetof(RopeParams, positions), Access::read},
          {offsetof(RopeParams, slots), Access::read},
          {offsetof(RopeParams, angles), Access::read},
          {offsetof(RopeParams, keys), Access::write},
          {offsetof(RopeParams, values), Access::write}}},
        {"attention.f32",
         {{offsetof(AttentionParams, q), Access::read},
          {offsetof(AttentionParams, keys), Access::read},
          {offsetof(AttentionParams, values), Access::read},
          {offsetof(AttentionParams, block_tables), Access::read},
          {offsetof(AttentionParams, tiles), Access::read},
          {offsetof(AttentionParams, y), Access::write},
          {offsetof(AttentionParams, partials), Access::write}}},
        {"attention_reduce",
         {{offsetof(AttentionReduceParams, partials), Access::read},
          {offsetof(AttentionReduceParams, y), Access::write}}},
        {"sample",
         {{offsetof(SampleParams, logits), Access::read},
          {offsetof(SampleParams, how), Access::read},
          {offsetof(SampleParams, tokens), Access::read},
          {offsetof(SampleParams, seen), Access::read},
          {offsetof(SampleParams, chosen), Access::write},
          {offsetof(SampleParams, sampled), Access::write},
          {offsetof(SampleParams, penalised), Access::change}}},
        {"mark",
         {{offsetof(MarkParams, tokens), Access::read},
          {offsetof(MarkParams, marks), Access::read},
          {offsetof(MarkParams, seen), Access::change}}},
    };
    for (auto table : {all_kernels(), bound_kernels()})
        for (const Case& c : cases) {
            const Spirv& kernel = find(table, c.kernel);
            EXPECT_EQ(kernel.accesses.size(), c.accesses.size()) << c.kernel;
            for (auto& [offset, access] : c.accesses)
                EXPECT_EQ(access_of(kernel, offset), access)
                    << c.kernel << ", pointer at byte " << offset;
        }
}

TEST(Kernels, AreTheSameInBothBuilds) {
    const auto addressed = all_kernels(), bound = bound_kernels();
    ASSERT_EQ(addressed.size(), bound.size());
    for (std::size_t i = 0; i < addressed.size(); ++i) {
        EXPECT_EQ(addressed[i].name, bound[i].name);
        EXPECT_TRUE(std::ranges::any_of(addressed[i].accesses, &PointerAccess::writes))
            << addressed[i].name << " writes nothing";
        ASSERT_EQ(addressed[i].accesses.size(), bound[i].accesses.size()) << addressed[i].name;
        for (const PointerAccess& pointer : addressed[i].accesses)
            EXPECT_EQ(access_of(addressed[i], pointer.offset), access_of(bound[i], pointer.offset))
                << addressed[i].name;
    }
}

TEST(Kernels, AreNamedByTheirHandles) {
    EXPECT_EQ(all_kernels()[kernels::gather().index].name, "gather");
    EXPECT_EQ(all_kernels()[kernels::direct(Format::q4_0, Rows::all).index].name,
              "direct.q4_0.all");
    EXPECT_EQ(all_kernels()[kernels::embed(Format::q6_k).index].name, "embed.q6_k");
    EXPECT_EQ(all_kernels()[kernels::attention(Cache::f16).index].name, "attention.f16");
}

}  // namespace assay
