#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <regex>
#include <string>
#include <vector>

// Rules of the source tree: includes point one way, and Vulkan stays in its folder.
namespace assay {
namespace {

// Each may include itself and those before it.
constexpr std::array layers{"shaders", "runtime", "model", "grader"};

struct Line {
    std::string file;  // from the root of the sources
    std::size_t number = 0;
    std::string text;
};

std::ostream& operator<<(std::ostream& out, const Line& line) {
    return out << line.file << ":" << line.number << ": " << line.text;
}

std::size_t layer_of(const std::string& path) {
    return static_cast<std::size_t>(std::ranges::find(layers, path.substr(0, path.find('/'))) -
                                    layers.begin());
}

const std::vector<Line>& lines() {
    static const std::vector<Line> all = [] {
        std::vector<Line> read;
        const std::filesystem::path root = ASSAY_SOURCE_DIR;
        for (const char* layer : layers)
            for (const auto& entry : std::filesystem::recursive_directory_iterator(root / layer)) {
                const auto extension = entry.path().extension();
                if (extension != ".h" && extension != ".cpp") continue;
                std::ifstream in(entry.path());
                std::size_t number = 0;
                for (std::string text; std::getline(in, text);)
                    read.push_back({entry.path().lexically_relative(root), ++number, text});
            }
        return read;
    }();
    return all;
}

}  // namespace

TEST(layers, AreThere) {
    ASSERT_TRUE(std::filesystem::exists(ASSAY_SOURCE_DIR))
        << "the sources this was built from are gone";
    for (const char* layer : layers)
        EXPECT_TRUE(std::ranges::any_of(lines(), [=](const Line& line) {
            return line.file.starts_with(std::string(layer) + "/");
        })) << layer;
}

TEST(layers, IncludeOneWay) {
    const std::regex include(R"re(\s*#\s*include\s+"([^"]+)".*)re");
    std::smatch match;
    for (const Line& line : lines()) {
        if (!std::regex_match(line.text, match, include)) continue;
        const std::string path = match[1];
        EXPECT_FALSE(path.starts_with("tests/") || path.starts_with("bench/")) << line;
        if (layer_of(path) == layers.size()) continue;  // a file beside it, or a generated one
        EXPECT_LE(layer_of(path), layer_of(line.file)) << line;
        EXPECT_TRUE(!path.starts_with("shaders/") || path.ends_with(".h")) << line;
    }
}

TEST(layers, VulkanStaysInItsFolder) {
    const std::regex vulkan(
        R"(.*\b(Vk[A-Z]\w*|vk[A-Z]\w*|VK_[A-Z]\w*|Vma[A-Z]\w*|vma[A-Z]\w*)\b.*)");
    const std::regex string_literal(R"("[^"]*")");
    for (const Line& line : lines()) {
        if (line.file.starts_with("runtime/vk/")) continue;
        EXPECT_FALSE(std::regex_match(std::regex_replace(line.text, string_literal, ""), vulkan))
            << line;
        EXPECT_EQ(line.text.find("<vulkan/"), std::string::npos) << line;
    }
}

}  // namespace assay
