#pragma once
#include <array>
#include <string_view>

#include "runtime/cache.h"
#include "runtime/stream.h"

// Every operation the models are written in. Tensors are f32 unless said otherwise, shapes
// outermost first. Results are scratch of the current scope.
namespace assay::ops {

Tensor embed(Stream&, const Weight& table, const Tensor& tokens);           // table[tokens]
Tensor gather(Stream&, const Tensor& x, const Tensor& rows);                // x[rows]
Tensor rmsnorm(Stream&, const Tensor& x, const Tensor& weight, float eps);  // x / rms(x) * weight
Tensor silu_mul(Stream&, const Tensor& gate, const Tensor& up);             // silu(gate) * up

// How a matrix product is computed. `automatic` chooses by device, format and number of rows.
enum class MatmulPath : std::uint8_t {
    automatic,
    direct,   // registers only, for CPU implementations
    skinny,   // few rows, bound by reading the weight
    tiled,    // many rows, by way of shared memory
    coopmat,  // cooperative matrices; both operands are rounded to halves (Tier::coopmat)
    // Those of any size (Tier::coopmat2), in the same way; the same as coopmat for a format of
    // which no single weight is decoded.
    coopmat2,
    // Dot products of bytes (Tier::dot): x is rounded to 8 bits with a scale for every 32 elements.
    // Never chosen but in a stream with int8_activations; the same as `automatic` for a format
    // whose weights are no whole numbers.
    dot,
};
inline constexpr std::array matmul_path_names{"automatic", "direct",   "skinny", "tiled",
                                              "coopmat",   "coopmat2", "dot"};
// What `automatic` chooses, and why.
struct MatmulChoice {
    MatmulPath path;
    std::string_view reason;
};
MatmulChoice matmul_choice(const DeviceInfo&, Format, std::uint32_t rows,
                           bool int8_activations = false);
Tensor matmul(Stream&, const Weight& w, const Tensor& x,
              MatmulPath = MatmulPath::automatic);  // x w^T
void matmul_add(Stream&, const Weight& w, const Tensor& x, const Tensor& y,
                MatmulPath = MatmulPath::automatic);  // y += x w^T
// silu(x w1^T) * x w3^T, for a weight whose rows 2i and 2i + 1 are rows i of w1 and w3.
Tensor matmul_swiglu(Stream&, const Weight& w13, const Tensor& x,
                     MatmulPath = MatmulPath::automatic);

// The feed-forward weights of every expert of a layer. Usually w1 and w3 are one weight,
// interleaved as for matmul_swiglu().
struct ExpertWeights {
    WeightStack w1, w3, w2;

    bool interleaved() const { return w3.first.out_dim == 0; }
};

// Which experts each token runs, and its rows sorted by expert for the products that follow. A
// routed row is token * E + choice, T tokens with E choices each.
struct Routing {
    enum Product : std::uint8_t { up, down };

    Tensor chosen, weights;  // (T, E): experts (u32), the greatest logit first; softmax over these
    Tensor order;            // (T * E): the routed rows by expert
    Tensor tiles;            // shader::ExpertTile
    Tensor groups;           // (2, 3): the workgroups of each product
    std::array<std::uint32_t, 2> columns{};  // of workgroups in a dispatch of each product
    MatmulPath path{};
    std::uint32_t expert_rows = 0;  // that the tiles are made for
};
// logits (T, experts). As everywhere, scratch: everything but `w` is valid for the current scope.
Routing route(Stream&, const Tensor& logits, std::uint32_t top_k, const ExpertWeights& w,
              MatmulPath = MatmulPath::automatic);
// silu(x w1^T) * x w3^T of each routed row: x (T, in_dim) -> (T * E, out_dim).
Tensor experts_up(Stream&, const ExpertWeights& w, const Tensor& x, const Routing& routing);
// x w2^T of each routed row: x (T * E, in_dim) -> (T * E, out_dim).
Tensor experts_down(Stream&, const ExpertWeights& w, const Tensor& x, const Routing& routing);
// Slots on the device for the experts of some layers, which lie in host memory. Tensors are u32.
struct ExpertPool {
    Tensor slots;     // (pool slots, slot words): what an expert's weights take together
    Tensor slot_of;   // (layers, experts and more): where each is, or shader::no_slot
    Tensor owner;     // (pool slots): index into slot_of, or shader::no_slot
    Tensor used;      // (pool slots): when, by the clock among the counters
    Tensor counters;  // see experts.h
};
// Brings the experts that were chosen to slots: layer `layer` of the pool's, whose experts lie in
// store (experts, words). slot_of then says where.
void fetch_experts(Stream&, const ExpertPool& pool, std::uint32_t layer, const Tensor& store,
                   const Routing& routing);

// x += the sum of each token's routed rows of y, times their weights.
void combine_add(Stream&, const Tensor& y, const Routing& routing, const Tensor& x);

// Adds the squares of each column of x (rows, dim) to sums (1, dim), and the number of rows to
// counts (1), u32.
void add_squares(Stream&, const Tensor& x, const Tensor& sums, const Tensor& counts);
// The same for each expert's routed rows: sums (experts, dim), counts (experts). x has a row per
// token, which counts once for each expert that the token runs, or a row per routed row.
void add_squares(Stream&, const Tensor& x, const Routing& routing, const Tensor& sums,
                 const Tensor& counts);

// One layer's keys and values, each (blocks, kv_heads, block_slots, head_dim) in the cache's
// format.
struct KeysValues {
    Tensor keys, values;
    Cache format = Cache::f16;
    std::uint32_t kv_heads = 0;
};
using shader::block_slots;

// What begins at a column of each row of a tensor.
struct Columns {
    Tensor of;
    std::uint32_t first = 0;
};

// q (rows, heads * head_dim), turned: (rows, heads, head_dim). Stores k, turned, and v (rows,
// kv_heads * head_dim) in the cache. positions and slots (u32) hold one entry per row; a slot is
// block * block_slots + place in the block. angles (positions, head_dim / 2, 2) holds the cosine
// and sine of position * frequency, see rope_angles().
Tensor rope(Stream&, const Columns& q, const Columns& k, const Columns& v, std::uint32_t heads,
            const Tensor& positions, const Tensor& slots, const Tensor& angles,
            const KeysValues& cache);

// What a step attends to. A tile is a run of consecutive tokens of one sequence, see make_tiles().
struct Attended {
    Tensor block_tables;  // (sequences, most blocks of a sequence), u32
    Tensor tiles;         // shader::QueryTile
    std::uint32_t tile_count = 0;
    std::uint32_t single_tiles = 0;  // of these, at the beginning: tiles of one token
    std::uint32_t tile_tokens = 0;  // the most tokens in a tile
    std::uint32_t most_keys = 0;    // the longest sequence, its new tokens included
};
// How attention is computed. `automatic` chooses by device, cache and number of query tokens.
enum class AttentionPath : std::uint8_t {
    automatic,
    cooperative,  // invocations share rows
    direct,       // each invocation has its own, for CPU implementations
    coopmat,      // cooperative matrices, q and the weights in halves; head_dim a multiple of 16
};
// Each row of q attends to what its sequence has in the cache up to its own position, at most
// `window` keys back (0: all). q (rows, heads, head_dim), as is the result.
Tensor attention(Stream&, const Tensor& q, const KeysValues& cache, const Attended&,
                 std::uint32_t window, AttentionPath = AttentionPath::automatic);

// The most scratch that attention() takes beside its result, for up to `rows` query tokens and
// `most_keys` keys, in a stream that is batch-invariant or not.
std::uint64_t attention_scratch_bytes(const DeviceInfo&, std::uint32_t rows, std::uint32_t heads,
                                      std::uint32_t head_dim, std::uint32_t most_keys,
                                      bool batch_invariant = false);

// A sequence's part of a step: `tokens` new ones, in rows first_row ... of the step, at
// first_position ... of the sequence.
struct QueryRun {
    std::uint32_t first_row, tokens, first_position;
};
// Cuts runs into tiles of the size that suits the device and the path, those of one token first;
// `group` query heads share a key-value head.
std::vector<shader::QueryTile> make_tiles(const Device&, std::span<const QueryRun> runs,
                                          std::uint32_t group,
                                          AttentionPath path = AttentionPath::automatic);

// Sampling keeps a choice row of state on the device for each running sequence: in seen (choice
// rows, words of 32 bits) a bit per token of the vocabulary that the sequence holds, in chosen
// (choice rows) the token chosen last. Tokens, seen and chosen are u32.

// A copy of the step's tokens with every word shader::chosen_flag | choice_row replaced by
// chosen[choice_row].
Tensor resolve_tokens(Stream&, const Tensor& tokens, const Tensor& chosen);
// Sets the bits of tokens of the step; marks holds shader::SeenMark.
void mark_seen(Stream&, const Tensor& tokens, const Tensor& marks, const Tensor& seen);
// Chooses a token for each shader::SampleRow of `how`, or shader::no_token where the row of logits
// holds a NaN. `tokens` are the step's, resolved, among which `how` names guesses.
Tensor sample(Stream&, const Tensor& logits, const Tensor& how, const Tensor& tokens,
              const Tensor& seen, const Tensor& chosen);
// The logits at places, which holds shader::LogitPlace.
Tensor pick(Stream&, const Tensor& logits, const Tensor& places);

// Lays rows of a weight out in panels. `source` holds `rows` rows as in the file, the first being
// row `first_row`; the last call for a weight also zeroes the rest of its last panel. Every call
// brings whole pairs of rows, but for the last, and whole heads.
struct Rearranged {
    std::uint32_t head_dim =
        0;                // pairs (i, i + head_dim / 2) of a head come interleaved, as in GGUF
    bool halves = false;  // rows of the source's second half go between those of its first
};
void repack(Stream&, const Tensor& source, std::uint32_t rows, std::uint32_t first_row,
            const Weight& to, const Rearranged& how = {});

}  // namespace assay::ops
