// https://github.com/arcee-ai/mergekit, generalized_task_arithmetic.py and sparsify.py at a6e4028.
#include "model/merge/task_vectors.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "model/merge/arithmetic.h"
#include "model/parallel.h"

namespace assay {
namespace {

using Block = std::array<float, block_elements>;

constexpr float least_sum = 1e-7f;      // of magnitudes that are rescaled
constexpr float least_divisor = 1e-8f;  // else it is 1

// PyTorch draws masks for f16 in f32, and rescales there.
Format mask_format(const Recipe& recipe) {
    const bool in_f32 = recipe.method->sparsify == Sparsify::random && recipe.work == Format::f16;
    return in_f32 ? Format::f32 : recipe.work;
}

}  // namespace

TaskVectors::TaskVectors(const Recipe& recipe, std::vector<Operand> operands,
                         std::uint64_t elements, const Masks& masks, std::uint32_t threads)
    : recipe_(recipe), operands_(std::move(operands)), elements_(elements), masks_(masks) {
    for (const double weight : recipe.weights) {
        weights_.push_back(rounded(recipe.work, weight));
        divisor_ += weights_.back();
    }
    divisor_ = rounded(recipe.work, divisor_);
    if (std::abs(divisor_) < least_divisor) divisor_ = 1;
    trims_.resize(weights_.size());
    scales_.resize(weights_.size());
    if (recipe.method->sparsify == Sparsify::none) return;
    for (std::size_t model = 0; model < weights_.size(); ++model) {
        const double density = recipe.densities[model];
        if (density >= 1) continue;
        if (recipe.method->sparsify == Sparsify::magnitude) {
            const auto kept = static_cast<std::uint64_t>(density * static_cast<double>(elements));
            if (kept == 0)
                throw Error(recipe.name + ": density " + std::to_string(density) +
                            " keeps none of " + std::to_string(elements) + " elements");
            trims_[model].emplace(elements, kept, recipe.work, threads,
                                  [&](std::uint64_t block, std::span<float> to) {
                                      Block base;
                                      const auto part = std::span(base).first(to.size());
                                      operands_[0].read(recipe_.work, block * block_elements, part);
                                      subtract(model, block, part, to);
                                  });
        }
        if (recipe.rescale == Rescale::l1) scales_[model] = scale(model, threads);
    }
}

// x - base
void TaskVectors::subtract(std::size_t model, std::uint64_t block, std::span<const float> base,
                           std::span<float> to) const {
    operands_[model + 1].read(recipe_.work, block * block_elements, to);
    with_rounding(recipe_.work, [&](auto round) {
        for (std::size_t i = 0; i < to.size(); ++i) to[i] = round(to[i] - base[i]);
    });
}

void TaskVectors::mask(std::size_t model, std::uint64_t block, std::span<const float> delta,
                       std::span<float> mask) const {
    if (trims_[model])
        trims_[model]->mask(block, delta, mask);
    else
        masks_.draw(model, rounded(mask_format(recipe_), recipe_.densities[model]),
                    block * block_elements, mask);
}

// The ratio of the sums of magnitudes before and after masking. Nothing if one is almost 0.
std::optional<float> TaskVectors::scale(std::size_t model, std::uint32_t threads) const {
    struct Sums {
        double before = 0, after = 0;
    };
    std::vector<Sums> sums((elements_ + block_elements - 1) / block_elements);
    parallel_for(threads, sums.size(), [&](std::uint64_t block) {
        Block base_block, delta_block, mask_block;
        const std::uint64_t count = std::min(block_elements, elements_ - block * block_elements);
        const auto base = std::span(base_block).first(count),
                   delta = std::span(delta_block).first(count),
                   kept = std::span(mask_block).first(count);
        operands_[0].read(recipe_.work, block * block_elements, base);
        subtract(model, block, base, delta);
        mask(model, block, delta, kept);
        for (std::size_t i = 0; i < count; ++i) {
            sums[block].before += std::abs(delta[i]);
            sums[block].after += std::abs(delta[i] * kept[i]);
        }
    });
    Sums total;  // in the order of the blocks, whatever the threads
    for (const Sums& part : sums) {
        total.before += part.before;
        total.after += part.after;
    }
    const Format format = mask_format(recipe_);
    const float before = rounded(format, total.before), after = rounded(format, total.after);
    if (before < least_sum || after < least_sum) return std::nullopt;
    return rounded(format, before / after);
}

void TaskVectors::sparsify(std::size_t model, std::uint64_t block, std::span<float> delta) const {
    const double density = recipe_.densities[model];
    if (density >= 1) return;
    Block kept_block;
    const auto kept = std::span(kept_block).first(delta.size());
    mask(model, block, delta, kept);
    for (std::size_t i = 0; i < delta.size(); ++i) delta[i] *= kept[i];
    const auto divisor = static_cast<float>(density);
    with_rounding(recipe_.work, [&](auto round) {
        if (scales_[model])
            for (float& x : delta) x = round(x * *scales_[model]);
        else if (recipe_.rescale == Rescale::density && density > 0)
            for (float& x : delta) x = round(x / divisor);
    });
}

// `weighted` holds the models' differences one after another, `to` their sum.
template <class Round>
void TaskVectors::mix(Round round, std::span<const float> weighted, std::span<float> to) const {
    Block divisors;
    if (recipe_.method->elects_sign) {
        Block sum;
        for (std::size_t i = 0; i < to.size(); ++i) sum[i] = round(to[i]);
        std::fill_n(divisors.begin(), to.size(), 0.0f);
        std::ranges::fill(to, 0.0f);
        for (std::size_t model = 0; model < weights_.size(); ++model) {
            const float weight = weights_[model];
            const float* delta = weighted.data() + model * to.size();
            for (std::size_t i = 0; i < to.size(); ++i) {
                const bool agrees = sum[i] >= 0 ? delta[i] > 0 : delta[i] < 0;
                const float share = agrees ? 1.0f : 0.0f;
                to[i] += delta[i] * share;
                divisors[i] += weight * share;
            }
        }
        for (std::size_t i = 0; i < to.size(); ++i) {
            divisors[i] = round(divisors[i]);
            if (divisors[i] == 0) divisors[i] = 1;
        }
    } else {
        std::fill_n(divisors.begin(), to.size(), divisor_);
    }
    for (float& x : to) x = round(x);
    if (recipe_.normalize)
        for (std::size_t i = 0; i < to.size(); ++i) to[i] = round(to[i] / divisors[i]);
    const auto lambda = static_cast<float>(recipe_.lambda);
    if (recipe_.lambda != 1)
        for (float& x : to) x = round(x * lambda);
}

void TaskVectors::merge(std::uint64_t block, std::span<float> to) const {
    Block base_block;
    const auto base = std::span(base_block).first(to.size());
    operands_[0].read(recipe_.work, block * block_elements, base);
    if (weights_.empty()) {
        std::ranges::copy(base, to.begin());
        return;
    }
    std::vector<float> weighted(weights_.size() * to.size());
    std::ranges::fill(to, 0.0f);
    for (std::size_t model = 0; model < weights_.size(); ++model) {
        const auto delta = std::span(weighted).subspan(model * to.size(), to.size());
        subtract(model, block, base, delta);
        sparsify(model, block, delta);
        with_rounding(recipe_.work, [&](auto round) {
            const float weight = weights_[model];
            for (std::size_t i = 0; i < to.size(); ++i) {
                delta[i] = round(delta[i] * weight);
                to[i] += delta[i];
            }
        });
    }
    with_rounding(recipe_.work, [&](auto round) {
        mix(round, weighted, to);
        for (std::size_t i = 0; i < to.size(); ++i) to[i] = round(base[i] + to[i]);
    });
}

}  // namespace assay
