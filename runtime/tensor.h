#pragma once
#include <array>
#include <cstdint>

#include "runtime/format.h"

namespace assay {

// A view of 4-byte elements in device memory. It owns nothing, copies freely, and dies with the
// scope that made it.
struct Tensor {
    std::uint64_t address = 0;
    std::array<std::uint32_t, 3> shape{1, 1, 1};  // outermost first: (tokens, heads, head_dim)

    std::uint32_t rows() const { return shape[0]; }
    std::uint32_t row_size() const { return shape[1] * shape[2]; }
    std::uint64_t size() const { return std::uint64_t{rows()} * row_size(); }
    std::uint64_t bytes() const { return size() * 4; }

    // The same rows seen as (rows, count, row_size / count).
    Tensor heads(std::uint32_t count) const {
        return {address, {rows(), count, row_size() / count}};
    }

    // Rows first ... first + count - 1.
    Tensor slice(std::uint32_t first, std::uint32_t count) const {
        return {address + std::uint64_t{first} * row_size() * 4, {count, shape[1], shape[2]}};
    }

    // A kernel's parameter struct takes a tensor where it has a pointer.
    template <class T>
    operator shader::Pointer<T>()
        const {  // NOLINT(google-explicit-constructor): that is its purpose
        return {address};
    }
};

using shader::panel_rows;

// A weight matrix (out_dim, in_dim) in panels of its stored format.
struct Weight {
    std::uint64_t address = 0;
    std::uint32_t out_dim = 0, in_dim = 0;
    Format format{};

    std::uint64_t bytes() const {
        return std::uint64_t{out_dim + panel_rows - 1} / panel_rows * panel_rows *
               row_bytes(format, in_dim);
    }
    template <class T>
    operator shader::Pointer<T>() const {  // NOLINT(google-explicit-constructor)
        return {address};
    }
};

// Weights of one shape and format, one for each expert, in slots of equal size.
struct WeightStack {
    Weight first;                  // as if in slot 0
    std::uint64_t slot_bytes = 0;  // from a slot to the next
    Tensor slots;                  // (experts), u32: where each expert's weight lies
};

}  // namespace assay
