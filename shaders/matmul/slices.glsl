// A workgroup that computes tile_rows rows of one panel of 32 outputs: invocation i two neighbouring ones, pair i % 16, of
// one of several slices of the columns, which are then added up in shared memory.
layout(local_size_x_id = 0) in;  // 16 * slices
layout(constant_id = 1) const uint tile_rows = 1;
const uint lanes = panel_rows / 2;
const uint slices = gl_WorkGroupSize.x / lanes;
const uint joined = tile_rows < 8 ? tile_rows : 8;  // rows whose slices are added up at a time, for the shared memory they take

shared vec2 partial[joined * gl_WorkGroupSize.x];
vec2 sum[tile_rows];  // of this invocation's slice

uint lane() { return gl_LocalInvocationIndex % lanes; }
uint slice() { return gl_LocalInvocationIndex / lanes; }

void join_slices(uint first_column) {
    [[unroll]] for (uint first_joined = 0; first_joined < tile_rows; first_joined += joined) {
        if (first_joined > 0) barrier();  // those before have been read
        [[unroll]] for (uint r = 0; r < joined; ++r)
            if (first_joined + r < tile_rows) partial[r * gl_WorkGroupSize.x + gl_LocalInvocationIndex] = sum[first_joined + r];
        barrier();
        for (uint i = gl_LocalInvocationIndex; i < joined * lanes; i += gl_WorkGroupSize.x) {
            vec2 total = vec2(0.0);
            for (uint s = 0; s < slices; ++s) total += partial[i / lanes * gl_WorkGroupSize.x + s * lanes + i % lanes];
            store_pair(first_joined + i / lanes, first_column + i % lanes * 2, total);
        }
    }
}
