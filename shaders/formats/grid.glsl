// Weights that come in runs of 8 or 4 out of a grid (shaders/codebooks.h), with signs of their own.
#include "../codebooks.h"

// Weight j of the four in a word of each row.
vec2 grid_weights(uvec2 words, uint j, float offset) {
    words >>= 16 * (j / 2);
    return vec2(number(words.x, 8 * (j % 2), 8, offset), number(words.y, 8 * (j % 2), 8, offset));
}

uvec2 grid_words(uvec2 index) { return uvec2(at(codebook)[index.x], at(codebook)[index.y]); }

Weights8 grid_runs(uvec2 low, uvec2 high, float offset) {
    Weights8 w;
    [[unroll]] for (uint j = 0; j < 4; ++j) {
        w.w[j] = grid_weights(low, j, offset);
        w.w[4 + j] = grid_weights(high, j, offset);
    }
    return w;
}

// Runs `index` of 8 weights.
Weights8 grid_run8(uint grid, uvec2 index, float offset) {
    return grid_runs(grid_words(grid + 2 * index), grid_words(grid + 2 * index + 1), offset);
}

// Runs `a` and `b` of 4 weights.
Weights8 grid_runs4(uint grid, uvec2 a, uvec2 b) { return grid_runs(grid_words(grid + a), grid_words(grid + b), 0.0); }

// Negates weight j, no negative one, where bit j is set.
Weights8 negated(Weights8 w, uvec2 signs) {
    [[unroll]] for (uint j = 0; j < 8; ++j)
        w.w[j] = uintBitsToFloat(floatBitsToUint(w.w[j]) | (signs >> j) << 31);
    return w;
}

// The low seven bits, and an eighth that makes the number of bits even.
uvec2 even_signs(uvec2 bits) {
    bits &= 127;
    return bits | uvec2(bitCount(bits) & 1) << 7;
}
