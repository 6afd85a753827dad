#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "tests/support/tiny_model.h"

namespace assay::reference {

// Called with what is multiplied with a weight of the model, row by row.
using OnInput = std::function<void(const std::vector<float>& weight, std::span<const double> row)>;

// The logits of every position of one text, (tokens, vocab_size), in double from end to end.
std::vector<double> forward(const test::TinyModel& model, std::span<const std::uint32_t> tokens,
                            const OnInput& on_input = {});

}  // namespace assay::reference
