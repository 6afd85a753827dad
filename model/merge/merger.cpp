// The roundings as mergekit at a6e4028 and safetensors-merge-supermario at 965e8b2 have them.
#include "model/merge/merger.h"

#include <algorithm>
#include <cmath>

#include "model/merge/arithmetic.h"
#include "model/merge/task_vectors.h"
#include "model/parallel.h"

namespace assay {
namespace {

using Block = std::array<float, block_elements>;

// sum w x, over sum w if normalized. The sum is in f32.
class Linear : public Merger {
public:
    Linear(const Recipe& recipe, std::vector<Operand> models)
        : recipe_(recipe), models_(std::move(models)) {
        float sum = 0;
        for (const double weight : recipe.weights) {
            weights_.push_back(rounded(recipe.work, weight));
            sum += weights_.back();
        }
        weight_sum_ = rounded(recipe.work, sum);
    }

    void merge(std::uint64_t block, std::span<float> to) const override {
        with_rounding(recipe_.work, [&](auto round) {
            Block x;
            std::ranges::fill(to, 0.0f);
            for (std::size_t model = 0; model < models_.size(); ++model) {
                models_[model].read(recipe_.work, block * block_elements,
                                    std::span(x).first(to.size()));
                const float weight = weights_[model];
                for (std::size_t i = 0; i < to.size(); ++i) to[i] += round(weight * x[i]);
            }
            for (float& sum : to) sum = round(sum);
            if (recipe_.normalize)
                for (float& sum : to) sum = round(sum / weight_sum_);
        });
    }

private:
    Recipe recipe_;
    std::vector<Operand> models_;
    std::vector<float> weights_;
    float weight_sum_ = 0;
};

// Spherical interpolation between the base and another model, in f32.
class Slerp : public Merger {
public:
    Slerp(const Recipe& recipe, std::vector<Operand> models, std::uint64_t elements,
          std::uint32_t threads)
        : recipe_(recipe), models_(std::move(models)) {
        const auto t = static_cast<float>(recipe.t);
        const float dot = cosine(elements, threads);
        if (std::abs(dot) > 0.9995f) {  // all but parallel
            shares_ = {static_cast<float>(1 - recipe.t), t};
            return;
        }
        const float angle = std::acos(dot), part = angle * t;
        shares_ = {std::sin(angle - part) / std::sin(angle), std::sin(part) / std::sin(angle)};
    }

    void merge(std::uint64_t block, std::span<float> to) const override {
        Block b;
        models_[0].read(recipe_.work, block * block_elements, to);
        models_[1].read(recipe_.work, block * block_elements, std::span(b).first(to.size()));
        with_rounding(recipe_.work, [&](auto round) {
            for (std::size_t i = 0; i < to.size(); ++i)
                to[i] = round(shares_[0] * to[i] + shares_[1] * b[i]);
        });
    }

private:
    // Calls `add` with the blocks of both and sums what it returns, in the order of the blocks.
    template <class Add>
    double sum(std::uint64_t elements, std::uint32_t threads, Add&& add) const {
        std::vector<double> sums((elements + block_elements - 1) / block_elements);
        parallel_for(threads, sums.size(), [&](std::uint64_t block) {
            Block a, b;
            const std::uint64_t begin = block * block_elements,
                                count = std::min(block_elements, elements - begin);
            models_[0].read(recipe_.work, begin, std::span(a).first(count));
            models_[1].read(recipe_.work, begin, std::span(b).first(count));
            for (std::uint64_t i = 0; i < count; ++i) sums[block] += add(a[i], b[i]);
        });
        double total = 0;
        for (const double part : sums) total += part;
        return total;
    }

    // Of the angle between them. A vector of almost no length stays as it is.
    float cosine(std::uint64_t elements, std::uint32_t threads) const {
        const auto length = [](double square) {
            const auto norm = static_cast<float>(std::sqrt(square));
            return norm > 1e-8f ? norm : 1.0f;
        };
        const float a_length =
            length(sum(elements, threads, [](float a, float) { return double{a} * a; }));
        const float b_length =
            length(sum(elements, threads, [](float, float b) { return double{b} * b; }));
        return static_cast<float>(sum(elements, threads, [&](float a, float b) {
            return double{(a / a_length) * (b / b_length)};
        }));
    }

    Recipe recipe_;
    std::vector<Operand> models_;
    std::array<float, 2> shares_{};
};

// One model after another is added to the running sum: lambda (mask (x - sum)) / (1 - p). A router
// is halfway between the running one and the model's.
class Supermario : public Merger {
public:
    Supermario(const Recipe& recipe, std::vector<Operand> models, const Masks& masks)
        : recipe_(recipe), models_(std::move(models)), masks_(masks) {}

    void merge(std::uint64_t block, std::span<float> to) const override {
        Block x, mask;
        const std::uint64_t begin = block * block_elements;
        models_[0].read(recipe_.work, begin, to);
        for (std::size_t model = 0; model + 1 < models_.size(); ++model) {
            models_[model + 1].read(recipe_.work, begin, std::span(x).first(to.size()));
            if (!recipe_.is_router)
                masks_.draw(model, recipe_.densities[model], begin,
                            std::span(mask).first(to.size()));
            with_rounding(recipe_.work,
                          [&](auto round) { add(round, model, to, x.data(), mask.data()); });
        }
    }

private:
    template <class Round>
    void add(Round round, std::size_t model, std::span<float> to, const float* x,
             const float* mask) const {
        const auto dropped = static_cast<float>(1 - recipe_.densities[model]);
        const auto lambda = static_cast<float>(recipe_.lambda);
        for (std::size_t i = 0; i < to.size(); ++i) {
            if (recipe_.is_router) {
                to[i] = round(round(to[i] + x[i]) / 2);
            } else {
                const float kept = round(mask[i] * round(x[i] - to[i]));
                to[i] = round(to[i] + round(lambda * round(kept / dropped)));
            }
        }
    }

    Recipe recipe_;
    std::vector<Operand> models_;
    const Masks& masks_;
};

}  // namespace

void Operand::read(Format work, std::uint64_t begin, std::span<float> to) const {
    decode(format, data + begin * element_bytes(format), to);
    if (format != work && work != Format::f32)
        with_rounding(work, [&](auto round) {
            for (float& x : to) x = round(x);
        });
}

std::unique_ptr<Merger> make_merger(const Recipe& recipe, std::vector<Operand> operands,
                                    std::uint64_t elements, Masks& masks, std::uint32_t threads) {
    if (recipe.method->sparsify == Sparsify::random) masks.prepare(recipe.name, elements);
    switch (recipe.method->method) {
        case Method::linear:
            return std::make_unique<Linear>(recipe, std::move(operands));
        case Method::slerp:
            return std::make_unique<Slerp>(recipe, std::move(operands), elements, threads);
        case Method::supermario:
            return std::make_unique<Supermario>(recipe, std::move(operands), masks);
        default:
            return std::make_unique<TaskVectors>(recipe, std::move(operands), elements, masks,
                                                 threads);
    }
}

}  // namespace assay
