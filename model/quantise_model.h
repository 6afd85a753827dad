#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "model/checkpoint.h"
#include "model/formats/imatrix.h"
#include "model/formats/quantise_mix.h"

namespace assay {

struct QuantisedModel {
    std::uint64_t bytes = 0, bytes_before = 0, weights = 0;
    std::map<Format, std::uint32_t> tensors;  // how many of each format
};

// Called from one thread at a time with bytes read so far, and all of them.
using QuantiseProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;

struct QuantiseOptions {
    std::uint32_t threads = 1;
    const ImportanceFile* importance = nullptr;  // weighs the columns of the tensors it names
    std::string importance_name{};               // of the file, for who asks how a model was made
};

// Writes a model as a GGUF file that llama.cpp reads too. Tensors that are in the right format
// already are copied as they are. Rows are read, quantised and written in pieces by many
// threads, on whose number the result does not depend; nothing is left at `to` if it fails. Throws
// Error that names tensor, row and column for a weight that the format cannot hold.
QuantisedModel quantise_model(const Checkpoint& from, const std::filesystem::path& to,
                              const Mix& mix, const QuantiseOptions& options,
                              const QuantiseProgress& progress = nullptr);

}  // namespace assay
