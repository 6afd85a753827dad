// What every kernel begins with: the extensions it may use and, in the bound build, the bindings.
#extension GL_EXT_scalar_block_layout : require
#extension GL_EXT_shader_16bit_storage : require
#extension GL_EXT_shader_explicit_arithmetic_types : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#ifdef BOUND
#include "bindings.glsl"
#else
#extension GL_EXT_buffer_reference : require
#endif
