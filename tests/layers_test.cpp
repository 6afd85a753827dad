#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/paths.h"

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
        const std::filesystem::path root = test::source_folder();
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

// What a line includes in quotes.
std::optional<std::string> included(const std::string& text) {
    const std::size_t begin = text.find('"'), end = text.rfind('"');
    if (!text.starts_with("#include \"") || end == begin) return std::nullopt;
    return text.substr(begin + 1, end - begin - 1);
}

// The first word outside of string literals that is a name of Vulkan or of its memory allocator.
std::optional<std::string> vulkan_name(const std::string& text) {
    std::string word;
    bool quoted = false;
    for (std::size_t i = 0; i <= text.size(); ++i) {
        const char c = i < text.size() ? text[i] : ' ';
        if (c == '"') quoted = !quoted;
        if (!quoted && (std::isalnum(static_cast<unsigned char>(c)) || c == '_')) {
            word += c;
            continue;
        }
        for (const std::string prefix : {"Vk", "vk", "VK_", "Vma", "vma"})
            if (word.starts_with(prefix) && word.size() > prefix.size() &&
                std::isupper(static_cast<unsigned char>(word[prefix.size()])))
                return word;
        word.clear();
    }
    return std::nullopt;
}

}  // namespace

#define NEEDS_THE_SOURCES()                              \
    if (!std::filesystem::exists(test::source_folder())) \
    GTEST_SKIP() << "the sources this was built from are not on this machine"

TEST(layers, AreThere) {
    NEEDS_THE_SOURCES();
    for (const char* layer : layers)
        EXPECT_TRUE(std::ranges::any_of(lines(), [=](const Line& line) {
            return line.file.starts_with(std::string(layer) + "/");
        })) << layer;
}

TEST(layers, IncludeOneWay) {
    NEEDS_THE_SOURCES();
    for (const Line& line : lines()) {
        const auto path = included(line.text);
        if (!path) continue;
        // What times kernels, and what goes by it, is the one way into bench/.
        const bool times_kernels =
            path->starts_with("bench/kernels/") &&
            std::ranges::any_of(std::array{"bench_kernels.", "bench_tune.", "tuning."},
                                [&](const char* name) {
                                    return line.file.starts_with(std::string("grader/cli/") + name);
                                });
        EXPECT_FALSE(path->starts_with("tests/") ||
                     (path->starts_with("bench/") && !times_kernels)) << line;
        if (layer_of(*path) == layers.size()) continue;  // a file beside it, or a generated one
        EXPECT_LE(layer_of(*path), layer_of(line.file)) << line;
        EXPECT_TRUE(!path->starts_with("shaders/") || path->ends_with(".h")) << line;
    }
}

TEST(layers, VulkanStaysInItsFolder) {
    NEEDS_THE_SOURCES();
    EXPECT_EQ(vulkan_name("x = std::move(VkBuffer{});"), "VkBuffer");
    for (const Line& line : lines()) {
        if (line.file.starts_with("runtime/vk/")) continue;
        EXPECT_EQ(vulkan_name(line.text).value_or(""), "") << line;
        EXPECT_EQ(line.text.find("<vulkan/"), std::string::npos) << line;
    }
}

}  // namespace assay
