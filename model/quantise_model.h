#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>

#include "model/checkpoint.h"
#include "model/formats/quantise_mix.h"

namespace assay {

struct QuantisedModel {
    std::uint64_t bytes = 0, bytes_before = 0, weights = 0;
    std::map<Format, std::uint32_t> tensors;  // how many of each format
};

// Called from one thread at a time with bytes read so far, and all of them.
using QuantiseProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;

// Writes a model as a GGUF file that llama.cpp reads too. Tensors that are in the right format
// already are copied as they are. Rows are read, quantised and written in pieces by `threads`
// threads, which the result does not depend on; nothing is left at `to` if it fails. Throws Error
// that names tensor, row and column for a weight that the format cannot hold.
QuantisedModel quantise_model(const Checkpoint& from, const std::filesystem::path& to,
                              const Mix& mix, std::uint32_t threads,
                              const QuantiseProgress& progress);

}  // namespace assay
