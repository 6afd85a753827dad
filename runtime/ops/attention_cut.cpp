#include "runtime/ops/attention_cut.h"

#include <algorithm>
#include <bit>

#include "runtime/error.h"
#include "runtime/ops/tiling.h"

namespace assay::ops {
namespace {

// Shared memory of a workgroup of so many rows, as attention_coopmat.comp takes it.
std::uint32_t matrix_bytes(const MatrixShape& matrix, std::uint32_t rows, std::uint32_t head_dim) {
    constexpr std::uint32_t keys = 32;
    const std::uint32_t row = 2 * (head_dim + 8);
    return std::max(2 * keys, rows) * row + rows * 2 * (keys + 8) +
           rows * std::max(keys, matrix.columns) * 4 + keys * 4;
}

bool fits_matrices(const DeviceInfo& device, std::uint32_t rows, std::uint32_t head_dim) {
    const MatrixShape& matrix = matrix_shape(device);
    return head_dim >= 32 && head_dim % std::max({matrix.columns, matrix.depth, 16u}) == 0 &&
           device.subgroup_size % matrix.rows == 0 && rows > 0 && rows <= most_matrix_rows &&
           rows % matrix.rows == 0 &&
           rows / matrix.rows * device.subgroup_size <= device.max_workgroup_invocations &&
           matrix_bytes(matrix, rows, head_dim) <= device.shared_memory_bytes;
}

// The most query rows of a workgroup. None where matrices do not suit the heads.
std::uint32_t matrix_rows(const DeviceInfo& device, std::uint32_t head_dim) {
    std::uint32_t rows = most_matrix_rows;
    while (rows > 0 && !fits_matrices(device, rows, head_dim)) rows /= 2;
    return rows;
}

// Many rows, which share what is read, pay for the time a matrix takes to set up.
AttentionPath usual_path(const DeviceInfo& device, const AttentionClass& c, bool batch_invariant) {
    // Sums over invocations are what a CPU implementation does worst.
    if (device.is_cpu) return AttentionPath::direct;
    // An F32 cache would lose 13 bits; each path has an order of sums of its own.
    const bool matrices = device.tier(Tier::coopmat).on && c.cache != Cache::f32 && c.prompt &&
                          !batch_invariant && attends_by_matrices(device, c.head_dim);
    return matrices ? AttentionPath::coopmat : AttentionPath::cooperative;
}

// Where the tier fails its probe, it is off from then on.
bool has(Device& device, AttentionPath path) {
    return path != AttentionPath::coopmat || device.has(Tier::coopmat);
}

std::uint32_t most_lanes(const DeviceInfo& device) {
    return std::bit_floor(std::max(device.subgroup_size, 1u));
}

// Fewer rows than a tile has share it.
constexpr AttentionCut cuts[] = {
    {AttentionPath::cooperative, 4, 512},  {AttentionPath::cooperative, 8, 512},
    {AttentionPath::cooperative, 16, 512}, {AttentionPath::cooperative, 32, 512},
    {AttentionPath::cooperative, 8, 256},  {AttentionPath::cooperative, 16, 256},
    {AttentionPath::cooperative, 32, 256}, {AttentionPath::cooperative, 32, 128},
    {AttentionPath::coopmat, 16, 512},     {AttentionPath::coopmat, 32, 512},
    {AttentionPath::coopmat, 64, 512},     {AttentionPath::coopmat, 16, 256},
    {AttentionPath::coopmat, 64, 1024},    {AttentionPath::direct, 0, 256},
    {AttentionPath::direct, 0, 512},       {AttentionPath::direct, 0, 1024},
};

// Prompts have rows enough not to split keys further; one token has few rows in a tile.
bool may_pay(const DeviceInfo& device, const AttentionCut& cut, const AttentionClass& c) {
    if (device.is_cpu || cut.path == AttentionPath::direct)
        return device.is_cpu && cut.path == AttentionPath::direct;
    if (cut.path == AttentionPath::coopmat && !device.tier(Tier::coopmat).on) return false;
    if (c.prompt && cut.split_keys < usual_split_keys) return false;
    if (cut.path == AttentionPath::cooperative) return c.prompt ? cut.width <= 16 : cut.width >= 8;
    return c.prompt || cut.width <= matrix_shape(device).rows;
}

}  // namespace

std::string text(const AttentionCut& cut) {
    return std::string(attention_path_names[static_cast<std::size_t>(cut.path)]) + "(" +
           (cut.width > 0 ? std::to_string(cut.width) + "," : "") + std::to_string(cut.split_keys) +
           ")";
}

std::string text(const AttentionClass& c) {
    return "attention " + std::string(info(c.cache).name) + " " + std::to_string(c.head_dim) +
           (c.prompt ? ", prompts" : ", one token");
}

bool attends_by_matrices(const DeviceInfo& device, std::uint32_t head_dim) {
    return matrix_rows(device, head_dim) > 0;
}

bool fits(const DeviceInfo& device, const AttentionCut& cut, const AttentionClass& c) {
    if (cut.split_keys < least_split_keys || cut.split_keys > most_split_keys ||
        cut.split_keys % block_slots != 0)
        return false;
    switch (cut.path) {
        case AttentionPath::cooperative:
            return std::has_single_bit(cut.width) && cut.width <= most_lanes(device);
        case AttentionPath::coopmat:
            return c.cache != Cache::f32 && fits_matrices(device, cut.width, c.head_dim);
        case AttentionPath::direct:
            return cut.width == 0;
        case AttentionPath::automatic:
            break;
    }
    return false;
}

AttentionCut usual_cut(const DeviceInfo& device, AttentionPath path, const AttentionClass& c,
                       bool batch_invariant) {
    if (path == AttentionPath::direct) return {path, 0, usual_split_keys};
    if (path == AttentionPath::coopmat) {
        const std::uint32_t rows = matrix_rows(device, c.head_dim);
        if (rows == 0)
            throw Error("attention: heads of " + std::to_string(c.head_dim) +
                        ", which do not suit the device's cooperative matrices");
        return {path, rows, usual_split_keys};
    }
    // With one token per sequence the keys are what is read, so as many invocations as a head of
    // 128 has fours of elements read them side by side. With many tokens rows share what is read,
    // so each row gets few invocations. How many decides the order of sums.
    const std::uint32_t wanted = batch_invariant ? 8 : c.prompt ? 4 : 32;
    return {path, std::min(wanted, most_lanes(device)), usual_split_keys};
}

std::optional<AttentionCut> measured_cut(Device& device, const AttentionClass& c) {
    const auto& known = tuning(device).attention;
    const auto found = known.find(c);
    if (found == known.end() || !has(device, found->second.path)) return std::nullopt;
    return found->second;
}

AttentionCut choose_cut(const Stream& s, AttentionPath asked, const AttentionClass& c) {
    const DeviceInfo& device = s.device().info();
    const bool invariant = s.batch_invariant();
    if (asked != AttentionPath::automatic) return usual_cut(device, asked, c, invariant);
    if (!invariant)  // every cut has an order of sums of its own
        if (const auto best = measured_cut(s.device(), c)) return *best;
    AttentionPath path = usual_path(device, c, invariant);
    if (!has(s.device(), path)) path = usual_path(device, c, invariant);
    return usual_cut(device, path, c, invariant);
}

std::vector<AttentionCut> cuts_to_try(const DeviceInfo& device, const AttentionClass& c) {
    std::vector<AttentionCut> some;
    std::ranges::copy_if(cuts, std::back_inserter(some), [&](const AttentionCut& cut) {
        return may_pay(device, cut, c) && fits(device, cut, c);
    });
    return some;
}

}  // namespace assay::ops
