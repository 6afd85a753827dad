#pragma once
#include <cstdint>

#include "bench/kernels/cases.h"
#include "runtime/profile.h"

// What operations have to move and compute at least: every operand is read once and every result
// written once, as if nothing else went through memory; a multiplication and an addition are two
// operations. docs/bench.md explains it to users.
namespace assay::bench {

// `weights`: how many of the shape's weights are read; 1 but for experts. rows: of products.
// x_rows: that are read.
Cost product_cost(Format format, std::uint32_t in, std::uint32_t out, Epilogue epilogue,
                  std::uint32_t rows, std::uint32_t x_rows, std::uint32_t weights);

// Of texts with `tokens` new ones each, which attend to `keys` positions, the last of them their
// own.
Cost attention_cost(const ModelShape& model, Cache kv, std::uint32_t texts, std::uint32_t tokens,
                    std::uint32_t keys);

}  // namespace assay::bench
