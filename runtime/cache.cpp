#include "runtime/cache.h"

#include <array>

#include "runtime/error.h"

namespace assay {
namespace {

// clang-format off
constexpr CacheInfo table_row(Cache format) {
    switch (format) {
    //                        name    block
    case Cache::f32:  return {"f32",  1,  4};
    case Cache::f16:  return {"f16",  1,  2};
    case Cache::q8_0: return {"q8_0", 32, 34};
    }
    return {};
}
// clang-format on

constexpr std::array<CacheInfo, axis_size<Cache>> table = [] {
    std::array<CacheInfo, axis_size<Cache>> rows{};
    for (std::uint16_t i = 0; i < rows.size(); ++i) rows[i] = table_row(static_cast<Cache>(i));
    return rows;
}();

}  // namespace

const CacheInfo& info(Cache format) { return table[static_cast<std::size_t>(format)]; }

std::optional<Cache> cache_from_name(std::string_view name) {
    for (std::uint16_t i = 0; i < table.size(); ++i)
        if (table[i].name == name) return static_cast<Cache>(i);
    return std::nullopt;
}

std::vector<std::string> cache_names() {
    std::vector<std::string> names;
    for (const CacheInfo& format : table) names.emplace_back(format.name);
    return names;
}

std::uint64_t row_bytes(Cache format, std::uint32_t head_dim) {
    const CacheInfo& layout = info(format);
    if (head_dim % layout.block_size != 0)
        throw Error("KV cache: head_dim is " + std::to_string(head_dim) + ", " +
                    std::string(layout.name) + " takes multiples of " +
                    std::to_string(layout.block_size));
    return std::uint64_t{head_dim} / layout.block_size * layout.block_bytes;
}

}  // namespace assay
