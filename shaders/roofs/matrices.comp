// Multiplies cooperative matrices in chains of which none waits for another; sums are written, so that none can be left out.
#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#include "../kernel.glsl"
#include "roofs.h"
PUSH(ArithmeticParams);

layout(local_size_x_id = 0) in;  // a subgroup
layout(constant_id = 1) const uint matrix_rows = 16;
layout(constant_id = 2) const uint matrix_columns = 16;
layout(constant_id = 3) const uint matrix_depth = 16;

#if defined(OPERANDS_S8)
#define Operand int8_t
#define Term int32_t
#else
#define Operand float16_t
#define Term float
#endif
#define Sum coopmat<Term, gl_ScopeSubgroup, matrix_rows, matrix_columns, gl_MatrixUseAccumulator>
shared Term joined[matrix_rows * matrix_columns];

void main() {
    coopmat<Operand, gl_ScopeSubgroup, matrix_rows, matrix_depth, gl_MatrixUseA> a =
        coopmat<Operand, gl_ScopeSubgroup, matrix_rows, matrix_depth, gl_MatrixUseA>(Operand(p.factor));
    coopmat<Operand, gl_ScopeSubgroup, matrix_depth, matrix_columns, gl_MatrixUseB> b =
        coopmat<Operand, gl_ScopeSubgroup, matrix_depth, matrix_columns, gl_MatrixUseB>(Operand(p.addend));
    Sum sum[roof_matrices];
    [[unroll]] for (uint i = 0; i < roof_matrices; ++i) sum[i] = Sum(Term(i));
    for (uint round = 0; round < p.rounds; ++round)
        [[unroll]] for (uint repeat = 0; repeat < 8; ++repeat)
            [[unroll]] for (uint i = 0; i < roof_matrices; ++i) sum[i] = coopMatMulAdd(a, b, sum[i]);
    [[unroll]] for (uint i = 1; i < roof_matrices; ++i) sum[0] += sum[i];
    coopMatStore(sum[0], joined, 0, matrix_columns, gl_CooperativeMatrixLayoutRowMajor);
    barrier();
    at(sums)[gl_GlobalInvocationID.x] = float(joined[gl_LocalInvocationIndex]);
}
