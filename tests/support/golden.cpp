#include "tests/support/golden.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>

namespace assay::test {
namespace {

template <class T>
std::vector<T> read_values(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    const std::string bytes(std::istreambuf_iterator<char>(in), {});
    std::vector<T> values(bytes.size() / sizeof(T));
    std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
    return values;
}

// The file that an array of golden.json names.
template <class T>
std::vector<T> read_array(const nlohmann::json& array, const std::filesystem::path& folder) {
    return read_values<T>(folder / array.at("file").get<std::string>());
}

double log_sum(std::span<const float> logits) {
    const double greatest = *std::max_element(logits.begin(), logits.end());
    double sum = 0;
    for (const float logit : logits) sum += std::exp(logit - greatest);
    return greatest + std::log(sum);
}

}  // namespace

nlohmann::json read_json(const std::filesystem::path& path) {
    std::ifstream in(path);
    return nlohmann::json::parse(in);
}

std::vector<float> read_floats(const std::filesystem::path& path) {
    return read_values<float>(path);
}

std::vector<GoldenPrompt> golden_prompts(const nlohmann::json& entry,
                                         const std::filesystem::path& folder) {
    std::vector<GoldenPrompt> prompts;
    for (const auto& p : entry.at("prompts")) {
        GoldenPrompt prompt{.name = p.at("name"),
                            .ids = p.at("ids"),
                            .positions = p.at("positions"),
                            .logits = read_array<float>(p.at("logits"), folder),
                            .greedy = {},
                            .margins = {},
                            .routing = {}};
        if (p.contains("greedy")) {
            p.at("greedy").at("tokens").get_to(prompt.greedy);
            p.at("greedy").at("margin").get_to(prompt.margins);
        }
        if (p.contains("router")) {
            const auto& router = p.at("router");
            prompt.routing = {.experts = read_array<std::uint32_t>(router.at("experts"), folder),
                              .weights = read_array<float>(router.at("weights"), folder),
                              .gap = read_array<float>(router.at("gap"), folder)};
        }
        prompts.push_back(std::move(prompt));
    }
    return prompts;
}

double deviation(const std::vector<float>& values) {
    double sum = 0, squares = 0;
    for (float v : values) {
        sum += v;
        squares += static_cast<double>(v) * v;
    }
    const double mean = sum / static_cast<double>(values.size());
    return std::sqrt(squares / static_cast<double>(values.size()) - mean * mean);
}

double divergence(std::span<const float> exact, std::span<const float> other) {
    const double exact_sum = log_sum(exact), other_sum = log_sum(other);
    double sum = 0;
    for (std::size_t i = 0; i < exact.size(); ++i) {
        const double probability = std::exp(exact[i] - exact_sum);
        sum += probability * (exact[i] - exact_sum - (other[i] - other_sum));
    }
    return sum;
}

double median(std::vector<double> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

}  // namespace assay::test
