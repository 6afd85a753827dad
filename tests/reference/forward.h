#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "tests/support/tiny_model.h"

namespace assay::reference {

// The logits of every position of one text, (tokens, vocab_size), in double from end to end.
std::vector<double> forward(const test::TinyModel& model, std::span<const std::uint32_t> tokens);

}  // namespace assay::reference
