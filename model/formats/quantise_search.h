#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "runtime/half.h"

// The searches behind quantise(): scales and levels that make a weighted squared error small.
namespace assay::quantising {

using Float4 = float __attribute__((vector_size(16)));

inline Float4 all(float value) { return Float4{value, value, value, value}; }
inline float sum(const Float4& v) { return (v[0] + v[2]) + (v[1] + v[3]); }

inline float nearest_half(float value) { return half_to_float(float_to_half(value)); }

// Adding 1.5 * 2^23 leaves a float no room for a fraction: rounds |v| < 2^22, ties to even.
inline Float4 rounded(const Float4& v) {
    const Float4 big = all(12582912.0f);
    return (v + big) - big;
}

// Weights that share a scale, and how much the square of each one's error counts.
template <std::size_t N>
struct Group {
    Group() = default;
    Group(const float* values, const float* importance)
        : least(*std::min_element(values, values + N)),
          most(*std::max_element(values, values + N)) {
        for (std::size_t i = 0; i < N; ++i) {
            x[i / 4][i % 4] = values[i];
            w[i / 4][i % 4] = importance[i];
        }
        Float4 sums_w{}, sums_wx{}, sums_wxx{};
        for (std::size_t i = 0; i < N / 4; ++i) {
            sums_w += w[i];
            sums_wx += w[i] * x[i];
            sums_wxx += w[i] * x[i] * x[i];
        }
        sum_w = sum(sums_w);
        sum_wx = sum(sums_wx);
        sum_wxx = sum(sums_wxx);
    }
    float peak() const { return -least > most ? least : most; }  // largest magnitude, with its sign

    std::array<Float4, N / 4> x, w;
    float least, most, sum_w, sum_wx, sum_wxx;
};

template <std::size_t Count, std::size_t N>
std::array<Group<N>, Count> groups_of(const float* values, const float* importance) {
    std::array<Group<N>, Count> groups;
    for (std::size_t g = 0; g < Count; ++g)
        groups[g] = Group<N>(values + g * N, importance + g * N);
    return groups;
}

// Whole numbers from least to most.
struct Uniform {
    float least, most;

    Float4 operator()(Float4 v) const {
        const Float4 low = all(least), high = all(most);
        v = low > v ? low : v;
        return rounded(high < v ? high : v);
    }
    Float4 numbers(const Float4& v) const { return (*this)(v)-least; }  // counted from 0
};

// ---- x ~ scale * level

// 0 also for what has no finite inverse: its levels are all 0.
inline float inverse(float scale) { return std::fabs(scale) < 0x1p-126f ? 0 : 1 / scale; }

// The levels nearest to a group at some scale, as far as errors depend on them.
struct Chosen {
    float wxl = 0, wll = 0;  // sums of weight * x * level and weight * level^2
    float error = 0;         // with the scale they were chosen for

    float best_scale() const { return wll > 0 ? wxl / wll : 0; }
    float best_gain() const { return best_scale() * wxl; }  // what it leaves of sum_wxx
};

template <std::size_t N, class Levels>
Chosen choose(const Group<N>& group, const Levels& levels, float scale) {
    const float inverse_scale = inverse(scale);
    Float4 wxl{}, wll{}, error{};
    for (std::size_t i = 0; i < N / 4; ++i) {
        const Float4 level = levels(group.x[i] * inverse_scale), weighted = group.w[i] * level,
                     missed = group.x[i] - scale * level;
        wxl += weighted * group.x[i];
        wll += weighted * level;
        error += group.w[i] * missed * missed;
    }
    return {sum(wxl), sum(wll), sum(error)};
}

// Sums of many roundings: what differs by less is the same, and the first of them is kept.
constexpr float noise = 2e-6f;

struct Scaled {
    float scale = 0;
    float curvature = 0;  // what a deviation of 1 from the scale costs
};

// The scale of a group alone. Candidates bring its peak to the `reaches` multiples of the widest
// level, with either sign; the best is refined in turns with its levels.
template <std::size_t N, class Levels, class Reaches>
Scaled best_scale(const Group<N>& group, const Levels& levels, const Reaches& reaches) {
    Scaled best;
    float best_gain = 0;
    const auto consider = [&](float scale) {
        const Chosen chosen = choose(group, levels, scale);
        if (chosen.best_gain() <= best_gain + noise * group.sum_wxx) return false;
        best = {chosen.best_scale(), chosen.wll};
        best_gain = chosen.best_gain();
        return true;
    };
    const float widest = group.peak() / levels.least;
    if (widest == 0) return best;
    for (const float reach : reaches) {
        consider(widest / reach);
        consider(-widest / reach);
    }
    for (int turn = 0; turn < 3 && consider(best.scale); ++turn) {
    }
    return best;
}

// The f16 scale of a group. Rounding to f16 costs little but where it is subnormal or where levels
// fit exactly: so the best scale's neighbours compete with those that bring the peak to a level.
template <std::size_t N, class Levels, class Reaches>
float best_half_scale(const Group<N>& group, const Levels& levels, const Reaches& reaches) {
    const float free = best_scale(group, levels, reaches).scale;
    const float widest = group.peak() / levels.least;
    float best = 0, best_error = group.sum_wxx;
    for (const float scale :
         {free, free * (1 + 0x1p-11f), free * (1 - 0x1p-11f), widest, -widest}) {
        const float half = nearest_half(scale), error = choose(group, levels, half).error;
        if (error < best_error) best_error = error, best = half;
    }
    return best;
}

// ---- x ~ scale * level + offset

struct Affine {
    float scale = 0, offset = 0;
};

struct AffineChosen {
    float wl = 0, wll = 0, wxl = 0;  // sums of weight * level, * level^2, * x * level
    float error = 0;                 // with the scale and offset they were chosen for
};

template <std::size_t N>
AffineChosen choose(const Group<N>& group, const Uniform& levels, float scale, float offset) {
    const float inverse_scale = inverse(scale);
    Float4 wl{}, wll{}, wxl{}, error{};
    for (std::size_t i = 0; i < N / 4; ++i) {
        const Float4 x = group.x[i] - offset, level = levels(x * inverse_scale),
                     weighted = group.w[i] * level, missed = x - scale * level;
        wl += weighted;
        wll += weighted * level;
        wxl += weighted * group.x[i];
        error += group.w[i] * missed * missed;
    }
    return {sum(wl), sum(wll), sum(wxl), sum(error)};
}

// The best scale and offset for levels; no offset above `highest`.
template <std::size_t N>
Affine best_for(const AffineChosen& c, const Group<N>& g, float highest) {
    const float determinant = g.sum_w * c.wll - c.wl * c.wl;
    const bool alike = determinant <= noise * g.sum_w * c.wll;  // all levels are
    const float offset =
        alike ? g.sum_wx / g.sum_w : (c.wll * g.sum_wx - c.wl * c.wxl) / determinant;
    if (offset > highest) return {c.wll > 0 ? (c.wxl - highest * c.wl) / c.wll : 0, highest};
    return {alike ? 0 : (g.sum_w * c.wxl - c.wl * g.sum_wx) / determinant, offset};
}

// Scale and offset of a group alone. Candidates stretch the levels over its range, cut or widened
// at its ends by `cuts` steps; the best is refined in turns with its levels.
template <std::size_t N, class Cuts>
Affine best_affine(const Group<N>& group, const Uniform& levels, float highest, const Cuts& cuts) {
    Affine best{0, std::min(group.sum_wx / group.sum_w, highest)};
    AffineChosen kept = choose(group, levels, best.scale, best.offset);
    const auto consider = [&](const Affine& tried) {
        const AffineChosen found = choose(group, levels, tried.scale, tried.offset);
        if (found.error >= kept.error) return false;
        best = tried;
        kept = found;
        return true;
    };
    const float least = std::min(group.least, highest), range = group.most - least;
    if (range <= 0) return best;
    for (const float low : cuts)
        for (const float high : cuts) {
            const float scale = range / (levels.most + low + high);
            consider({scale, least + low * scale});
        }
    for (int turn = 0; turn < 4 && consider(best_for(kept, group, highest)); ++turn) {
    }
    return best;
}

// The levels themselves, as small whole numbers.
template <std::size_t N, class Levels>
void put_levels(const Group<N>& group, const Levels& levels, float scale, float offset,
                std::uint8_t* numbers) {
    for (std::size_t i = 0; i < N / 4; ++i) {
        const Float4 level = levels.numbers((group.x[i] - offset) * inverse(scale));
        for (std::size_t lane = 0; lane < 4; ++lane)
            *numbers++ = static_cast<std::uint8_t>(level[lane]);
    }
}

}  // namespace assay::quantising
