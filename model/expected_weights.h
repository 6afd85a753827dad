#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/config.h"
#include "model/formats/file_tensor.h"

namespace assay {

// The weights that a config asks for: their names, which are those of published Hugging Face
// checkpoints, their shapes, and every other name and form that files give them.

struct ExpectedWeight;

// How a kind of file names what it holds.
struct Naming {
    std::string_view layer_prefix;
    std::string_view ExpectedWeight::*name;
};
extern const Naming hugging_face_naming, gguf_naming;

// Renames tensors, and cuts what holds the matrices of all experts into one tensor per matrix,
// which share its bytes: w1, w2 and w3 of model.layers.N.block_sparse_moe.experts.E. Others stay as
// they are. Throws Error beginning with `where` for a stack whose shape the config contradicts, or
// in an unsupported type.
void name_weights(FileTensors& found, const Naming& naming, const Config& config,
                  const std::string& where);

// The shape of a weight, of one dimension for a vector; nothing for what is no weight of the model.
// Throws Error beginning with `where` for an expert that the config does not have.
std::optional<std::vector<std::uint64_t>> expected_shape(std::string_view name,
                                                         const Config& config,
                                                         const std::string& where);

// Throws Error beginning with `where` unless the tensor has this shape and, if a vector, no blocks.
// GGUF leaves out outer dimensions of 1; afterwards the tensor has them.
void check_weight(FileTensor& tensor, const std::vector<std::uint64_t>& shape,
                  const std::string& where);

// What llama.cpp calls a weight: for the matrices of one kind of all experts of a layer it has one
// name, under which it stacks them.
std::string gguf_name(std::string_view name, const Config& config);

// Calls `visit` with the name of every weight, in the order of the forward pass.
void for_each_weight(const Config& config, const std::function<void(const std::string&)>& visit);

}  // namespace assay
