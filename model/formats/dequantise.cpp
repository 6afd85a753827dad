#include "model/formats/dequantise.h"

#include <bit>
#include <cassert>
#include <cstdint>
#include <cstring>

#include "runtime/half.h"

namespace assay {
namespace {

// Block layouts as in GGUF's specification; each function decodes one block.
using Block = const std::uint8_t*;

float half_at(Block block) {
    return half_to_float(static_cast<std::uint16_t>(block[0] | block[1] << 8));
}

void f32(Block block, float* w) { std::memcpy(w, block, sizeof *w); }

void f16(Block block, float* w) { *w = half_at(block); }

void bf16(Block block, float* w) {
    *w = std::bit_cast<float>(std::uint32_t{block[0]} << 16 | std::uint32_t{block[1]} << 24);
}

// f16 scale; 32 signed bytes.
void q8_0(Block block, float* w) {
    const float scale = half_at(block);
    for (int i = 0; i < 32; ++i)
        w[i] = scale * static_cast<float>(static_cast<std::int8_t>(block[2 + i]));
}

// f16 scale; 16 bytes, the low nibbles first.
void q4_0(Block block, float* w) {
    const float scale = half_at(block);
    for (int i = 0; i < 16; ++i) {
        w[i] = scale * static_cast<float>((block[2 + i] & 15) - 8);
        w[i + 16] = scale * static_cast<float>((block[2 + i] >> 4) - 8);
    }
}

// 128 bytes of low nibbles, 64 bytes of high bit pairs, 16 signed scales, f16 scale. In each half
// of 128 weights, weights 0-31 and 64-95 share the first 32 low bytes, 32-63 and 96-127 the other
// 32; all four share 32 high bytes.
void q6_k(Block block, float* w) {
    const float scale = half_at(block + 208);
    for (int run = 0; run < 8; ++run) {  // of 32 weights
        const Block low = block + 64 * (run / 4) + 32 * (run % 2),
                    high = block + 128 + 32 * (run / 4), scales = block + 192 + 2 * run;
        const int low_shift = run % 4 / 2 * 4, high_shift = run % 4 * 2;
        for (int i = 0; i < 32; ++i) {
            const int q = (low[i] >> low_shift & 15) | (high[i] >> high_shift & 3) << 4;
            *w++ = scale * static_cast<float>(static_cast<std::int8_t>(scales[i / 16])) *
                   static_cast<float>(q - 32);
        }
    }
}

template <void (*decode)(Block, float*)>
void decode_all(const FormatInfo& format, std::span<const std::byte> blocks, float* w) {
    const auto* block = reinterpret_cast<Block>(blocks.data());
    const auto* end = block + blocks.size();
    for (; block != end; block += format.block_bytes, w += format.block_size) decode(block, w);
}

using Decoder = void (*)(const FormatInfo&, std::span<const std::byte>, float*);

// clang-format off
Decoder decoder(Format format) {
    switch (format) {
    case Format::f32: return decode_all<f32>;
    case Format::f16: return decode_all<f16>;
    case Format::bf16: return decode_all<bf16>;
    case Format::q8_0: return decode_all<q8_0>;
    case Format::q4_0: return decode_all<q4_0>;
    case Format::q6_k: return decode_all<q6_k>;
    }
    return nullptr;
}
// clang-format on

}  // namespace

void dequantise(Format format, std::span<const std::byte> blocks, std::span<float> weights) {
    const FormatInfo& layout = info(format);
    assert(blocks.size() % layout.block_bytes == 0);
    assert(weights.size() == blocks.size() / layout.block_bytes * layout.block_size);
    decoder(format)(layout, blocks, weights.data());
}

}  // namespace assay
