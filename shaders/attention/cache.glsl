// What the KV cache holds in this variant. A head's rows in a block of slots, (block_slots, head_dim), lie together as a
// part; parts lie as (blocks, kv_heads). The cache is written as CacheElement and read as CacheQuad. A format defines
//   cache_part_elements, cache_part_quads(head_dim)   how many of these a part takes
//   cache_run                                         elements of a row that are written together
//   cache_store(side, part, head_dim, i, x)           writes float x[cache_run] as elements i ... of the part
//   cache_quad(side, part, head_dim, q)               elements 4 * q ... 4 * q + 3 of the part
//   RawEight, raw_eight(side, part, head_dim, e)      what is stored of its elements 8 * e ... 8 * e + 7
//   raw_halves(raw, e)                                these elements as halves
// where side is keys or values, and part the index of the part's first CacheElement or CacheQuad.
#include "../shared.h"

uvec4 eight_halves(vec4 a, vec4 b) { return uvec4(packHalf2x16(a.xy), packHalf2x16(a.zw), packHalf2x16(b.xy), packHalf2x16(b.zw)); }

#if defined(CACHE_F32)
#define CacheElement float
#define CacheQuad vec4
const uint cache_run = 1;
POINTER(CacheElement, 4)
POINTER(CacheQuad, 16)
#define cache_part_elements(head_dim) (block_slots * (head_dim))
#define cache_part_quads(head_dim) (block_slots * (head_dim) / 4)
#define cache_store(side, part, head_dim, i, x) at(side)[(part) + (i)] = x[0]
#define cache_quad(side, part, head_dim, q) at(side)[(part) + (q)]
#define raw_eight(side, part, head_dim, e) RawEight(at(side)[(part) + 2 * (e)], at(side)[(part) + 2 * (e) + 1])

struct RawEight { vec4 low, high; };

uvec4 raw_halves(RawEight raw, uint e) { return eight_halves(raw.low, raw.high); }

#elif defined(CACHE_F16)
#define CacheElement uint
#define CacheQuad uvec2
const uint cache_run = 2;
POINTER(CacheElement, 4)
POINTER(CacheQuad, 8)
#define cache_part_elements(head_dim) (block_slots * (head_dim) / 2)
#define cache_part_quads(head_dim) (block_slots * (head_dim) / 4)
#define cache_store(side, part, head_dim, i, x) at(side)[(part) + (i) / 2] = packHalf2x16(vec2(x[0], x[1]))
#define cache_quad(side, part, head_dim, q) halves(at(side)[(part) + (q)])
#define RawEight uvec4
#define raw_eight(side, part, head_dim, e) uvec4(at(side)[(part) + 2 * (e)], at(side)[(part) + 2 * (e) + 1])
#define raw_halves(raw, e) (raw)

vec4 halves(uvec2 bits) { return vec4(unpackHalf2x16(bits.x), unpackHalf2x16(bits.y)); }

#elif defined(CACHE_Q8_0)
// 32 elements of a row share a scale: x = scale * quantum. The quanta of all rows, signed bytes, then their scales, f16.
#define CacheElement uint16_t
#define CacheQuad uint
const uint cache_run = 32;
POINTER(CacheElement, 2)
POINTER(CacheQuad, 4)
#define cache_part_elements(head_dim) (block_slots * (head_dim) / 32 * 17)
#define cache_part_quads(head_dim) (block_slots * (head_dim) / 64 * 17)
#define cache_store(side, part, head_dim, i, x)                                                                            \
    {                                                                                                                      \
        int quanta[cache_run];                                                                                             \
        at(side)[(part) + block_slots * (head_dim) / 2 + (i) / cache_run] = uint16_t(quantise(x, quanta));                 \
        [[unroll]] for (uint pair = 0; pair < cache_run / 2; ++pair)                                                       \
            at(side)[(part) + (i) / 2 + pair] = uint16_t(quanta[2 * pair] & 0xff | quanta[2 * pair + 1] << 8);             \
    }
#define cache_quad(side, part, head_dim, q) \
    (bytes(at(side)[(part) + (q)]) * half_of(at(side)[(part) + block_slots * (head_dim) / 4 + (q) / 16], (q) / 8 % 2))
#define RawEight uvec3  // the quanta, then the scale and that beside it
#define raw_eight(side, part, head_dim, e) \
    uvec3(at(side)[(part) + 2 * (e)], at(side)[(part) + 2 * (e) + 1], at(side)[(part) + block_slots * (head_dim) / 4 + (e) / 8])

// The least f16 number from x on, which is not negative; infinity if there is none or x is NaN.
uint half_from(float x) {
    if (x < 0.00006103515625) return uint(ceil(x * 16777216.0));  // steps of the subnormal numbers
    return min((floatBitsToUint(x) - (112u << 23) + 0x1fffu) >> 13, 0x7c00u);
}

// The bits of the scale. It is rounded up, so that no quantum is beyond 127, in the subnormal numbers neither.
uint quantise(float x[cache_run], out int quanta[cache_run]) {
    uint greatest = 0;  // the bits of magnitudes compare as they do, and NaN is above all
    [[unroll]] for (uint i = 0; i < cache_run; ++i) greatest = max(greatest, floatBitsToUint(x[i]) & 0x7fffffffu);
    uint bits = half_from(uintBitsToFloat(greatest) / 127.0);
    float scale = unpackHalf2x16(bits).x;
    [[unroll]] for (uint i = 0; i < cache_run; ++i) quanta[i] = scale > 0.0 ? int(roundEven(x[i] / scale)) : 0;
    return bits;
}

vec4 bytes(uint word) { return vec4(ivec4(word) << ivec4(24, 16, 8, 0) >> 24); }

float half_of(uint word, uint index) { return unpackHalf2x16(word >> 16 * index).x; }

uvec4 raw_halves(uvec3 raw, uint e) {
    float scale = half_of(raw.z, e / 4 % 2);
    return eight_halves(bytes(raw.x) * scale, bytes(raw.y) * scale);
}
#endif
