#pragma once
#include <span>
#include <string_view>
#include <vector>

#include "bench/kernels/measure.h"

namespace assay::bench {

// What a device does at best, by kernels that do nothing else.
struct Roof {
    enum class Kind : std::uint8_t { bandwidth, arithmetic, duration };

    std::string_view name;  // "copy", "fp32"
    Kind kind{};
    double rate = 0;  // bytes or operations a second, or seconds
};

inline constexpr std::string_view copy_roof = "copy", fp32_roof = "fp32", int8_roof = "int8",
                                  coopmat_roof = "coopmat", coopmat_s8_roof = "coopmat_s8",
                                  dispatch_roof = "dispatch";

class Roofs {
public:
    std::vector<Roof> all;

    double rate(std::string_view name) const;  // 0 if it was not measured
};

// quick: with less memory and fewer samples.
Roofs measure_roofs(Device& device, const Separator& between, bool quick);

// The least time that some work can take under the roofs, and which of them says so: copy, the best
// of the arithmetic that may serve it, by the roofs' names, or the empty dispatch.
struct Bound {
    std::string_view roof;
    double seconds = 0;
};
Bound bound_of(const Roofs& roofs, const Cost& cost, std::span<const std::string_view> arithmetic);

}  // namespace assay::bench
