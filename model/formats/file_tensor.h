#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/format.h"

namespace assay {

// A tensor as it lies in a mapped file, whose owner must outlive it.
struct FileTensor {
    std::string name;
    Format format{};
    std::vector<std::uint64_t> shape;  // outermost first; empty for a single value
    std::span<const std::byte> data;   // row-major, of any alignment

    std::uint64_t columns() const { return shape.empty() ? 1 : shape.back(); }
    std::uint64_t rows() const;
};

// A tensor in a type this build has no kernels for: refused only when a model needs it.
struct UnsupportedTensor {
    std::string name, type;  // type as the file spells it: "I64", "Q2_K"
};

struct FileTensors {
    std::vector<FileTensor> tensors;
    std::vector<UnsupportedTensor> unsupported;
};

// Bytes of a whole tensor. Throws Error beginning with `where` when the product overflows, a
// dimension is 0 or a row is no multiple of the format's block.
std::uint64_t tensor_bytes(const std::string& where, Format format,
                           std::span<const std::uint64_t> shape);

std::string shape_text(std::span<const std::uint64_t> shape);  // "4096 x 14336"

// Text out of a file, made fit for one line of an error: escaped, and cut after `longest` bytes.
std::string printable(std::string_view text, std::size_t longest = 100);

}  // namespace assay
