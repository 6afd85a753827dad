#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "runtime/cache.h"

// Every operation of runtime/ops.h in plain C++, accumulated in double, written from the
// definitions and not from the shaders. Arrays are row-major, shapes outermost first; sizes that
// follow from others are not passed.
namespace assay::reference {

// What exact arithmetic gives, and the sum of the magnitudes of the terms of each value: rounding
// errors are proportional to it, whatever cancels.
struct Expected {
    std::vector<double> values, magnitudes;
};

// Rows `rows` of x, each of `dim` elements: embed and gather.
std::vector<float> gather(std::span<const float> x, std::size_t dim,
                          std::span<const std::uint32_t> rows);

Expected rmsnorm(std::span<const float> x, std::span<const float> weight,
                 double eps);  // rows of weight.size()
Expected silu_mul(std::span<const float> gate, std::span<const float> up);

// y = initial + x w^T for weight (out_dim, in_dim) and x (rows, in_dim); initial (rows, out_dim)
// may be empty for zeros.
Expected matmul(std::span<const float> weight, std::span<const float> x, std::size_t in_dim,
                std::span<const float> initial);

// The top_k experts of each row of logits (tokens, experts), the greatest first and of equal ones
// the first, with the softmax over them.
struct Routes {
    std::vector<std::uint32_t> experts;
    std::vector<double> weights;
};
Routes route(std::span<const float> logits, std::size_t experts, std::size_t top_k);

// The squares of each column of x, summed over the routed rows of each expert: chosen (routed rows)
// holds their experts, and the routed rows share the rows of x evenly, in turn.
struct Squares {
    std::vector<double> sums;           // (experts, dim)
    std::vector<std::uint32_t> counts;  // (experts): rows summed up
};
Squares squares(std::span<const float> x, std::size_t dim, std::span<const std::uint32_t> chosen,
                std::size_t experts);

// Turns elements i and i + head_dim / 2 of each head of x (rows, heads, head_dim) by the angle of
// the row's position. angles (positions, head_dim / 2, 2) holds cosines and sines.
Expected rotate(std::span<const float> x, std::size_t heads, std::size_t head_dim,
                std::span<const std::uint32_t> positions, std::span<const float> angles);

// What numbers may be off by once they are stored in a KV cache, if their magnitudes are what they
// may be off by before. Whole blocks of the format.
std::vector<double> stored_errors(Cache format, const Expected& exact);

// One sequence: q (tokens, heads, head_dim), at positions first_position ..., against keys and
// values (first_position + tokens, kv_heads, head_dim). window: the keys a query sees, itself
// included; 0: all before it.
struct AttentionShape {
    std::size_t heads, kv_heads, head_dim, first_position, window;
};
Expected attention(std::span<const float> q, std::span<const float> keys,
                   std::span<const float> values, const AttentionShape& shape);

// The probabilities that sampling draws from, 0 for what top-k, top-p and min-p leave out, as
// sample.h describes them. With temperature 0 the greatest logit's first token has probability 1.
// seen: whether the row holds the token.
struct Sampling {
    double temperature = 0, top_p = 1, min_p = 0, repetition_penalty = 1;
    std::size_t top_k = 0;
};
std::vector<double> sampling_probabilities(std::span<const float> logits,
                                           const std::vector<bool>& seen, const Sampling& how);

// Whether a number in [0, 1) may draw the token: where the running sum of the probabilities passes
// it, as far as f32 arithmetic tells.
bool may_be_drawn(std::span<const double> probabilities, std::size_t token, double number);

}  // namespace assay::reference
