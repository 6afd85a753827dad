#include "runtime/error.h"
#include "runtime/ops/tiling.h"

namespace assay::ops {

Tiling dot_tiling(const DeviceInfo& device, Format format, Rows of, std::uint32_t rows) {
    if (const TierState& tier = device.tier(Tier::dot); !tier.on)
        throw Error(device.name + ": no products of bytes: " + tier.note);
    // More would have no registers. Tiles are as even as can be: rows that fill up a tile are
    // computed too.
    constexpr std::uint32_t most_rows = 16;
    const std::uint32_t each = ceil_div(rows, ceil_div(rows, most_rows));
    // Invocations of a slice share a panel, each with two rows of the weight. However many rows
    // there are, a row's blocks go to the same slices, and so are added up in the same order.
    constexpr std::uint32_t workgroup = 256;
    return {kernels::dot(info(format).integers.value(), of).specialize(workgroup, each), each,
            panel_rows};
}

}  // namespace assay::ops
