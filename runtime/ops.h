#pragma once
#include "runtime/cache.h"
#include "runtime/stream.h"

// Every operation the models are written in. Tensors are f32 unless said otherwise, shapes
// outermost first. Results are scratch of the current scope.
namespace assay::ops {

Tensor embed(Stream&, const Weight& table, const Tensor& tokens);           // table[tokens]
Tensor gather(Stream&, const Tensor& x, const Tensor& rows);                // x[rows]
Tensor rmsnorm(Stream&, const Tensor& x, const Tensor& weight, float eps);  // x / rms(x) * weight
Tensor silu_mul(Stream&, const Tensor& gate, const Tensor& up);             // silu(gate) * up

// How a matrix product is computed. `automatic` chooses by device and number of rows.
enum class MatmulPath : std::uint8_t { automatic, direct, skinny, tiled };
MatmulPath matmul_path(const DeviceInfo&, std::uint32_t rows);  // what `automatic` chooses
Tensor matmul(Stream&, const Weight& w, const Tensor& x,
              MatmulPath = MatmulPath::automatic);  // x w^T
void matmul_add(Stream&, const Weight& w, const Tensor& x, const Tensor& y,
                MatmulPath = MatmulPath::automatic);  // y += x w^T

// One layer's keys and values, each (blocks, kv_heads, block_slots, head_dim) in the cache's
// format.
struct KeysValues {
    Tensor keys, values;
    Cache format = Cache::f16;
    std::uint32_t kv_heads = 0;
};
using shader::block_slots;

// Turns q (rows, heads, head_dim) in place, and stores k, turned, and v (rows, kv_heads, head_dim)
// in the cache. positions and slots (u32) hold one entry per row; a slot is block * block_slots +
// place in the block. angles (positions, head_dim / 2, 2) holds the cosine and sine of position *
// frequency, see rope_angles().
void rope(Stream&, const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& positions,
          const Tensor& slots, const Tensor& angles, const KeysValues& cache);

// What a step attends to. A tile is a run of consecutive tokens of one sequence, see make_tiles().
struct Attended {
    Tensor block_tables;  // (sequences, most blocks of a sequence), u32
    Tensor tiles;         // shader::QueryTile
    std::uint32_t tile_count = 0;
    std::uint32_t tile_tokens = 0;  // the most tokens in a tile
    std::uint32_t most_keys = 0;    // the longest sequence, its new tokens included
};
// How attention is computed. `automatic` chooses by device.
enum class AttentionPath : std::uint8_t { automatic, cooperative, direct };
// Each row of q attends to what its sequence has in the cache up to its own position, at most
// `window` keys back (0: all). Shapes as in rope().
Tensor attention(Stream&, const Tensor& q, const KeysValues& cache, const Attended&,
                 std::uint32_t window, AttentionPath = AttentionPath::automatic);

// The most scratch that attention() takes beside its result, for up to `rows` query tokens and
// `most_keys` keys.
std::uint64_t attention_scratch_bytes(const DeviceInfo&, std::uint32_t rows, std::uint32_t heads,
                                      std::uint32_t head_dim, std::uint32_t most_keys);

// A sequence's part of a step: `tokens` new ones, in rows first_row ... of the step, at
// first_position ... of the sequence.
struct QueryRun {
    std::uint32_t first_row, tokens, first_position;
};
// Cuts runs into tiles of the size that suits the device; `group` query heads share a key-value
// head.
std::vector<shader::QueryTile> make_tiles(const Device&, std::span<const QueryRun> runs,
                                          std::uint32_t group);

// Chooses a token (u32) per row of logits; how and seen as in sample.h. A row with a NaN gives
// 0xffffffff.
Tensor sample(Stream&, const Tensor& logits, const Tensor& how, const Tensor& seen);

// Lays rows of a weight out in panels. `source` holds `rows` rows as in the file, the first being
// row `first_row`; the last call for a weight also zeroes the rest of its last panel. Every call
// brings whole pairs of rows, but for the last, and whole heads. With head_dim, see
// shaders/repack/repack.h.
void repack(Stream&, const Tensor& source, std::uint32_t rows, std::uint32_t first_row,
            const Weight& to, std::uint32_t head_dim);

}  // namespace assay::ops
