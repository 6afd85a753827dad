#pragma once
#include <string>

#include "bench/kernels/results.h"

namespace assay::bench {

// Operations a second over operations per byte, both logarithmic, as an SVG element: the roofs as
// lines and the cases as points with their names in tooltips. Cases without operations are not in
// it. Empty if nothing was timed.
std::string roofline_svg(const Report& report);

// Into which of the plot's groups an operation falls, by index.
inline constexpr std::string_view plot_groups[] = {"matmul", "experts", "attention", "other"};
std::size_t plot_group(Operation operation);

}  // namespace assay::bench
