#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// What a device can do beyond what Assay asks of every one. Some kernels are made of it.
namespace assay {

enum class Tier : std::uint8_t {
    float16,     // arithmetic in halves
    dot,         // dot products of 8-bit integers, four in a word: faster than others on GPUs
    coopmat,     // cooperative matrices (KHR): f16 operands, f32 sums
    coopmat_s8,  // of bytes: s8 operands, s32 sums
    coopmat2,    // cooperative matrices of any size (NV), whose elements are given by functions
};
inline constexpr std::array tier_names{"float16", "dot", "coopmat", "coopmat_s8",
                                       "coopmat2"};  // for --disable
inline constexpr std::size_t tier_count = tier_names.size();

constexpr std::string_view name(Tier tier) { return tier_names.at(static_cast<std::size_t>(tier)); }
std::optional<Tier> tier_from_name(std::string_view name);

struct TierState {
    bool on = false;
    std::string
        note{};  // if off, why: what is missing, that it was switched off, what a probe found
};
using TierStates = std::array<TierState, tier_count>;

// Matrices that the device multiplies in one instruction of a subgroup: (rows, depth) times (depth,
// columns).
struct MatrixShape {
    std::uint32_t rows = 0, columns = 0, depth = 0;
    std::string operands, sums;  // their types: "f16", "f32", "s8", "s32" ...
};

// Matrices of any size that the device multiplies, f16 with f32 sums: multiples of these.
struct MatrixSteps {
    std::uint32_t rows = 0, columns = 0, depth = 0;
    std::uint32_t workgroup =
        0;  // invocations of the workgroup that shares them; 0: a subgroup does
};

std::string text_of(const MatrixSteps& steps);  // "multiples of 32 x 64 x 16 in workgroups of 256"
std::string text_of(const MatrixShape& shape);  // "16 x 16 x 16 (f16 to f32)": rows, columns, depth

}  // namespace assay
