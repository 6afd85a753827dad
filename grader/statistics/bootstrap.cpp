#include "grader/statistics/bootstrap.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <thread>

#include "model/engine/random.h"
#include "model/parallel.h"

namespace assay {

void resample(std::span<std::size_t> indices, std::uint64_t seed, std::uint64_t number) {
    const auto n = static_cast<std::uint64_t>(indices.size());
    const std::array key{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)};
    for (std::size_t i = 0; i < indices.size(); i += 4) {
        const auto words =
            philox({static_cast<std::uint32_t>(i / 4), static_cast<std::uint32_t>(number),
                    static_cast<std::uint32_t>(number >> 32), 0},
                   key);
        for (std::size_t j = 0; j < std::min<std::size_t>(4, indices.size() - i); ++j)
            indices[i + j] = static_cast<std::size_t>(words[j] * n >> 32);
    }
}

double quantile(std::span<const double> sorted, double q) {
    const double place = q * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<std::size_t>(std::floor(place));
    const std::size_t above = std::min(below + 1, sorted.size() - 1);
    return std::lerp(sorted[below], sorted[above], place - std::floor(place));
}

std::optional<Interval> percentile_interval(std::vector<double> values, double level) {
    if (values.empty()) return std::nullopt;
    std::ranges::sort(values);
    const double outside = (1 - level) / 2;
    return Interval{quantile(values, outside), quantile(values, 1 - outside)};
}

std::vector<std::optional<Interval>> bootstrap_all(std::size_t n, const Statistics& statistics,
                                                   const BootstrapOptions& options) {
    std::vector<std::vector<std::optional<double>>> values(options.resamples);
    const auto work = [&](std::uint64_t number) {
        std::vector<std::size_t> indices(n);
        resample(indices, options.seed, number);
        values[number] = statistics(indices);
    };
    parallel_for(std::max(std::thread::hardware_concurrency(), 1u), options.resamples, work);
    std::vector<std::optional<Interval>> intervals(values.empty() ? 0 : values.front().size());
    for (std::size_t i = 0; i < intervals.size(); ++i) {
        std::vector<double> defined;
        for (const auto& of_resample : values)
            if (of_resample[i]) defined.push_back(*of_resample[i]);
        if (2 * defined.size() >= options.resamples)
            intervals[i] = percentile_interval(std::move(defined), options.level);
    }
    return intervals;
}

std::optional<Interval> bootstrap(std::size_t n, const Statistic& statistic,
                                  const BootstrapOptions& options) {
    const auto intervals = bootstrap_all(
        n,
        [&](std::span<const std::size_t> indices) {
            return std::vector<std::optional<double>>{statistic(indices)};
        },
        options);
    return intervals.empty() ? std::nullopt : intervals.front();
}

}  // namespace assay
