#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "model/tokenizer.h"

// What the bench commands share.
namespace assay::cli {

double median(std::vector<double> values);  // not empty

std::string utc_now();  // "2024-05-01T12:00:00Z"

// Tokens of text number `text`, which no text would have; what they are changes no timing.
std::vector<TokenId> random_tokens(std::uint32_t count, std::uint32_t vocabulary,
                                   std::uint32_t text = 0);

}  // namespace assay::cli
