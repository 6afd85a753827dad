#pragma once
#include "model/formats/quantise_search.h"

// Searches for blocks of several groups, whose scales are whole multiples of one f16.
namespace assay::quantising {

// The f16 step whose whole multiples come nearest to the values.
template <std::size_t N>
float best_step(const Group<N>& values, const Uniform& multiples) {
    float best = 0, best_error = values.sum_wxx;
    const auto consider = [&](float step) {
        const float error = choose(values, multiples, nearest_half(step)).error;
        if (error < best_error) best_error = error, best = nearest_half(step);
    };
    const float peak = values.peak(), widest = std::max(-multiples.least, multiples.most);
    const float spacing = widest > 20 ? 1.0f : 0.5f;
    for (float reach = widest; reach >= 0.7f * widest; reach -= spacing) {
        consider(peak / reach);
        if (multiples.least < 0) consider(-peak / reach);
    }
    return best;
}

// The multiple nearest to a value; with `wide` those beside it too.
template <class Try>
void for_multiples(float value, float step, const Uniform& multiples, bool wide,
                   const Try& consider) {
    const float nearest =
        std::clamp(std::nearbyint(value * inverse(step)), multiples.least, multiples.most);
    consider(nearest);
    if (!wide) return;
    if (nearest > multiples.least) consider(nearest - 1);
    if (nearest < multiples.most) consider(nearest + 1);
}

// The error of zeros.
template <std::size_t Count, std::size_t N>
float total(const std::array<Group<N>, Count>& groups) {
    float sum = 0;
    for (const Group<N>& group : groups) sum += group.sum_wxx;
    return sum;
}

// The first turn takes the multiples that come nearest to the scales that suit the groups alone,
// and finds the step for them; the others look beside them.
constexpr int turns = 2;

// x ~ step * multiple * level
template <std::size_t Count>
struct ScaledBlock {
    float step = 0;
    std::array<float, Count> multiples{};
};

template <std::size_t Count, std::size_t N, class Levels, class Reaches>
ScaledBlock<Count> fit(const std::array<Group<N>, Count>& groups, const Levels& levels,
                       const Reaches& reaches, const Uniform& multiples) {
    std::array<float, Count> scales, curvatures;
    for (std::size_t g = 0; g < Count; ++g) {
        const Scaled found = best_scale(groups[g], levels, reaches);
        scales[g] = found.scale;
        curvatures[g] = found.curvature;
    }
    ScaledBlock<Count> best;
    float best_error = total(groups);
    float step = best_step(Group<Count>(scales.data(), curvatures.data()), multiples);
    for (int turn = 0; turn < turns; ++turn) {
        ScaledBlock<Count> tried{step, {}};
        float error = 0, wxl = 0, wll = 0;
        for (std::size_t g = 0; g < Count; ++g) {
            Chosen kept{.error = groups[g].sum_wxx};
            const auto consider = [&](float multiple) {
                const Chosen chosen = choose(groups[g], levels, step * multiple);
                if (chosen.error >= kept.error) return;
                kept = chosen;
                tried.multiples[g] = multiple;
            };
            for_multiples(scales[g], step, multiples, turn > 0, consider);
            error += kept.error;
            wxl += tried.multiples[g] * kept.wxl;
            wll += tried.multiples[g] * tried.multiples[g] * kept.wll;
        }
        if (error >= best_error) break;
        best_error = error;
        best = tried;
        step = nearest_half(wll > 0 ? wxl / wll : 0);
    }
    return best;
}

// x ~ step * multiple * level - offset_step * offset_multiple
template <std::size_t Count>
struct AffineBlock {
    float step = 0, offset_step = 0;
    std::array<float, Count> multiples{}, offset_multiples{};
};

// Normal equations of both steps of a block, all levels and multiples being fixed.
struct StepSums {
    float aa = 0, ab = 0, bb = 0, xa = 0, xb = 0;  // a: multiple * level, b: -offset_multiple

    template <std::size_t N>
    void add(const Group<N>& g, const AffineChosen& chosen, float multiple, float offset) {
        aa += multiple * multiple * chosen.wll;
        ab -= multiple * offset * chosen.wl;
        bb += offset * offset * g.sum_w;
        xa += multiple * chosen.wxl;
        xb -= offset * g.sum_wx;
    }
    void solve(float& step, float& offset_step) const {
        const float determinant = aa * bb - ab * ab;
        if (determinant > 0) {
            step = (xa * bb - xb * ab) / determinant;
            offset_step = (xb * aa - xa * ab) / determinant;
        } else if (aa > 0) {
            step = xa / aa;
        }
    }
};

template <std::size_t Count, std::size_t N, class Cuts>
AffineBlock<Count> fit_affine(const std::array<Group<N>, Count>& groups, const Uniform& levels,
                              const Cuts& cuts, const Uniform& multiples) {
    std::array<float, Count> scales, offsets, scale_weights, offset_weights;
    for (std::size_t g = 0; g < Count; ++g) {
        const Affine found = best_affine(groups[g], levels, 0, cuts);
        scales[g] = found.scale;
        offsets[g] = -found.offset;
        scale_weights[g] = choose(groups[g], levels, found.scale, found.offset).wll;
        offset_weights[g] = groups[g].sum_w;
    }
    AffineBlock<Count> best;
    float best_error = total(groups);
    float step = best_step(Group<Count>(scales.data(), scale_weights.data()), multiples);
    float offset_step = best_step(Group<Count>(offsets.data(), offset_weights.data()), multiples);
    for (int turn = 0; turn < turns; ++turn) {
        AffineBlock<Count> tried{step, offset_step, {}, {}};
        float error = 0;
        StepSums sums;
        for (std::size_t g = 0; g < Count; ++g) {
            AffineChosen kept{.error = groups[g].sum_wxx};
            const auto consider = [&](float multiple, float offset_multiple) {
                const AffineChosen chosen =
                    choose(groups[g], levels, step * multiple, -offset_step * offset_multiple);
                if (chosen.error >= kept.error) return;
                kept = chosen;
                tried.multiples[g] = multiple;
                tried.offset_multiples[g] = offset_multiple;
            };
            for_multiples(scales[g], step, multiples, turn > 0, [&](float multiple) {
                for_multiples(offsets[g], offset_step, multiples, turn > 0,
                              [&](float offset) { consider(multiple, offset); });
            });
            error += kept.error;
            sums.add(groups[g], kept, tried.multiples[g], tried.offset_multiples[g]);
        }
        if (error >= best_error) break;
        best_error = error;
        best = tried;
        sums.solve(step, offset_step);
        step = nearest_half(step);
        offset_step = nearest_half(std::max(offset_step, 0.0f));
    }
    return best;
}

}  // namespace assay::quantising
