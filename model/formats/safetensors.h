#pragma once
#include "model/formats/file_tensor.h"
#include "model/formats/mapped_file.h"

namespace assay {

// The tensors of one safetensors file, in the order of their bytes. Everything is checked: sizes,
// offsets without gap or overlap, names. Throws Error naming the file, the tensor and both values.
FileTensors read_safetensors(const MappedFile& file);

}  // namespace assay
