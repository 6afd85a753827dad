// What GLSL and C++ spell alike, for the parameter structs that both include.
//
// In(T), Out(T) and InOut(T) are pointers to device memory that a kernel reads, writes, or both. A kernel
// reaches the memory behind the pointer `name` of its parameters as at(name)[i].
#ifndef SHADERS_SHARED_H
#define SHADERS_SHARED_H

#ifdef __cplusplus
#include <cstdint>
namespace assay::shader {
using uint = std::uint32_t;
struct vec2;          // these are only pointed to
struct vec4;
struct uvec4;
struct CacheElement;  // what the KV cache holds, see attention/cache.glsl
struct CacheQuad;     // four of them

// A typed device address. T is const where the kernel only reads.
template <class T>
struct Pointer {
    std::uint64_t address = 0;
};
}  // namespace assay::shader
#define In(T) Pointer<const T>
#define Out(T) Pointer<T>
#define InOut(T) Pointer<T>
#define POINTER(T, ALIGN)
#define SHARED_CONSTANT inline constexpr uint
#define SHARED_BEGIN namespace assay::shader {
#define SHARED_END }
#else
#define SHARED_CONSTANT const uint
#define SHARED_BEGIN
#define SHARED_END

#ifdef BOUND
// The build for the validation layers: addresses are carried but not followed, and every pointer is a
// descriptor binding of the same name. bindings.glsl is made from the parameter structs.
#define In(T) uvec2
#define Out(T) uvec2
#define InOut(T) uvec2
#define POINTER(T, ALIGN)
#define PUSH(Params)                                         \
    layout(push_constant, scalar) uniform Push { Params p; }; \
    BIND_##Params
#define at(name) bound_##name.data
#else
#define In(T) In_##T
#define Out(T) Out_##T
#define InOut(T) InOut_##T
#define POINTER(T, ALIGN)                                                                                  \
    layout(buffer_reference, scalar, buffer_reference_align = ALIGN) readonly buffer In_##T { T data[]; };   \
    layout(buffer_reference, scalar, buffer_reference_align = ALIGN) writeonly buffer Out_##T { T data[]; }; \
    layout(buffer_reference, scalar, buffer_reference_align = ALIGN) buffer InOut_##T { T data[]; };
#define PUSH(Params) layout(push_constant, scalar) uniform Push { Params p; }
#define at(name) p.name.data
#endif

// A pointer type must be declared before a struct that holds it.
POINTER(uint, 4)
POINTER(float, 4)
POINTER(vec2, 8)
POINTER(vec4, 16)
POINTER(uvec4, 16)
#endif

SHARED_BEGIN
// Rows of a weight that lie side by side, so that invocations side by side read neighbouring words: unit u of row r is at
// (r / panel_rows * units_of_a_row + u) * panel_rows + r % panel_rows. Zero rows pad the last panel.
SHARED_CONSTANT panel_rows = 32;
SHARED_CONSTANT block_slots = 16;  // positions in a block of the KV cache
SHARED_END

#endif
