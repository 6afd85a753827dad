#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/kernels/models.h"
#include "runtime/cache.h"
#include "runtime/format.h"

namespace assay::bench {

enum class Operation : std::uint8_t {
    matmul,
    experts,
    attention,
    embed,
    rmsnorm,
    rope,
    swiglu,
    gather,
    route,
    combine,
    sample,
    repack,
};
inline constexpr std::string_view operation_names[] = {"matmul",  "experts", "attention", "embed",
                                                       "rmsnorm", "rope",    "swiglu",    "gather",
                                                       "route",   "combine", "sample",    "repack"};

constexpr bool is_product(Operation operation) {
    return operation == Operation::matmul || operation == Operation::experts;
}

// What becomes of a matrix product: see shaders/matmul/matmul.h.
enum class Epilogue : std::uint8_t { store, add, swiglu };

// An operation at the shape at which some models meet it.
struct Shape {
    Operation operation{};
    std::string_view part;                 // which weight, or how a token is chosen; may be empty
    std::uint32_t in = 0, out = 0;         // elements of a row that is read, and that is computed
    Epilogue epilogue{};                   // of products
    const ModelShape* model = nullptr;     // the first
    std::vector<std::string_view> models;  // all of them, by name
};

// One thing to measure. rows: of the step, up to most_decoded_rows one token of as many texts,
// above it a prompt; 0 where there are none.
struct Case {
    const Shape* shape = nullptr;
    std::optional<Format> format;  // of the weight
    std::optional<Cache> kv;       // of the KV cache
    std::uint32_t rows = 0;
    std::uint32_t keys = 0;  // that each text has, its new ones included; 0 where none are read

    bool decodes() const;
    std::string name() const;  // "matmul w13 q4_0 mistral-7b rows=8"
};
constexpr std::uint32_t most_decoded_rows = 64;

// Everything there is to measure: every operation at the shapes of every model, in every format,
// with every number of rows. Cases of one weight follow each other.
const std::vector<Case>& all_cases();

}  // namespace assay::bench
