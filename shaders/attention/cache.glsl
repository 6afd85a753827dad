// What the KV cache holds in this variant. Slot s of key-value head h starts at cache_row(s, h).
// It is written by elements and read by pairs of them.
#include "../shared.h"
#if defined(CACHE_F32)
#define CacheElement float
#define CachePair vec2
#define cache_pair(bits) (bits)
#define to_cache(value) (value)
POINTER(CacheElement, 4)
#elif defined(CACHE_F16)
#define CacheElement uint16_t
#define CachePair uint
#define cache_pair(bits) unpackHalf2x16(bits)
#define to_cache(value) uint16_t(packHalf2x16(vec2(value, 0.0)))
POINTER(CacheElement, 2)
#endif
POINTER(CachePair, 4)

// In elements where row_size is head_dim, in pairs where it is half of that.
uint cache_row(uint slot, uint head, uint kv_heads, uint row_size) {
    return ((slot / block_slots * kv_heads + head) * block_slots + slot % block_slots) * row_size;
}
