// What the KV cache holds in this variant. Slot s of key-value head h starts at cache_row(s, h).
#include "../shared.h"
#if defined(CACHE_F32)
#define CacheElement float
#define cache_value(bits) (bits)
#define to_cache(value) (value)
POINTER(CacheElement, 4)
#elif defined(CACHE_F16)
#define CacheElement uint16_t
#define cache_value(bits) unpackHalf2x16(uint(bits)).x
#define to_cache(value) uint16_t(packHalf2x16(vec2(value, 0.0)))
POINTER(CacheElement, 2)
#endif

const uint block_slots = 16;  // KvCache::block_slots

uint cache_row(uint slot, uint head, uint kv_heads, uint head_dim) {
    return ((slot / block_slots * kv_heads + head) * block_slots + slot % block_slots) * head_dim;
}
