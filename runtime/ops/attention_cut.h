#pragma once
#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/ops.h"

// How attention is cut into workgroups.
namespace assay::ops {

inline constexpr std::array<std::string_view, 4> attention_path_names{"automatic", "cooperative",
                                                                      "direct", "coopmat"};

struct AttentionCut {
    AttentionPath path{};
    // cooperative: invocations that share a row. coopmat: query rows of a workgroup. direct: 0.
    std::uint32_t width = 0;
    // Of a workgroup, if there are too few workgroups without; a multiple of block_slots.
    std::uint32_t split_keys = 0;

    bool operator==(const AttentionCut&) const = default;
};
std::string text(const AttentionCut& cut);  // "coopmat(64,512)"

constexpr std::uint32_t usual_split_keys = 512, least_split_keys = 128, most_split_keys = 65536;

// What is cut alike.
struct AttentionClass {
    Cache cache{};
    std::uint32_t head_dim = 0;
    bool prompt = false;  // tiles of several tokens

    auto operator<=>(const AttentionClass&) const = default;
};
std::string text(const AttentionClass& c);  // "attention f16 128, one token"

// The most query rows of a workgroup of AttentionPath::coopmat on any device.
constexpr std::uint32_t most_matrix_rows = 64;

// What the operation goes by: for a path that is asked for the usual cut, or else what was measured
// to be the best, or the usual. Throws an Error where matrices are asked for and do not suit.
AttentionCut choose_cut(const Stream& s, AttentionPath asked, const AttentionClass& c);
AttentionCut usual_cut(const DeviceInfo& device, AttentionPath path, const AttentionClass& c,
                       bool batch_invariant);
// What was measured to be the best, if anything was and its tier is on.
std::optional<AttentionCut> measured_cut(Device& device, const AttentionClass& c);

// What may be better than the usual cut, and fits the device.
std::vector<AttentionCut> cuts_to_try(const DeviceInfo& device, const AttentionClass& c);

// Whether the kernel of a cut can be made for a device, its tier on or off. Throws an Error where
// it needs matrices of which the device lists none that serve.
bool fits(const DeviceInfo& device, const AttentionCut& cut, const AttentionClass& c);

}  // namespace assay::ops
