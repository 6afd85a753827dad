#include "tests/support/golden.h"

#include <cmath>
#include <cstring>
#include <fstream>

namespace assay::test {

nlohmann::json read_json(const std::filesystem::path& path) {
    std::ifstream in(path);
    return nlohmann::json::parse(in);
}

std::vector<float> read_floats(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    const std::string bytes(std::istreambuf_iterator<char>(in), {});
    std::vector<float> values(bytes.size() / sizeof(float));
    std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
    return values;
}

std::vector<GoldenPrompt> golden_prompts(const nlohmann::json& entry,
                                         const std::filesystem::path& folder) {
    std::vector<GoldenPrompt> prompts;
    for (const auto& p : entry.at("prompts")) {
        GoldenPrompt prompt{
            .name = p.at("name"),
            .ids = p.at("ids"),
            .positions = p.at("positions"),
            .logits = read_floats(folder / p.at("logits").at("file").get<std::string>()),
            .greedy = {},
            .margins = {}};
        if (p.contains("greedy")) {
            p.at("greedy").at("tokens").get_to(prompt.greedy);
            p.at("greedy").at("margin").get_to(prompt.margins);
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

}  // namespace assay::test
