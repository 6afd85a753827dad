#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "model/checkpoint.h"
#include "model/formats/gguf_writer.h"

namespace assay {

// A tensor under llama.cpp's name and in its form.
struct GgufTensor {
    std::string name;
    std::vector<std::uint64_t> shape;  // outermost first; experts are the outermost dimension
    std::vector<FileTensor> parts;     // one after the other: a matrix per expert, else one tensor
    std::uint32_t head_dim = 0;        // not 0: the rows of each head are to be interleaved

    std::uint64_t columns() const { return parts.front().columns(); }
    std::uint64_t part_rows() const { return parts.front().rows(); }
    // The row of a part that comes to stand in place `row`.
    std::uint64_t source_row(std::uint64_t row) const;
};

// A model's weights as llama.cpp's converter writes them, in the order of the forward pass. They
// lie in the checkpoint's files.
std::vector<GgufTensor> gguf_tensors(const Checkpoint& checkpoint);

// Adds everything that is said of a model but how it is quantised: translated from a Hugging Face
// directory, copied from a GGUF file.
void describe(const Checkpoint& checkpoint, GgufWriter& writer);

// The same of a model that lies in no file.
void describe(const Config& config, const std::string& name, const Vocabulary& vocabulary,
              GgufWriter& writer);

}  // namespace assay
