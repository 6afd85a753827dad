#include "model/formats/file_tensor.h"

#include <algorithm>
#include <numeric>

#include "runtime/error.h"

namespace assay {

std::uint64_t FileTensor::rows() const {
    if (shape.empty()) return 1;
    return std::accumulate(shape.begin(), shape.end() - 1, std::uint64_t{1}, std::multiplies<>());
}

std::uint64_t tensor_bytes(const std::string& where, Format format,
                           std::span<const std::uint64_t> shape) {
    const auto fail = [&](const std::string& reason) {
        throw Error(where + ": shape " + shape_text(shape) + " " + reason);
    };
    const FormatInfo& block = info(format);
    std::uint64_t elements = 1;
    for (const std::uint64_t size : shape) {
        if (size == 0) fail("has an empty dimension");
        if (__builtin_mul_overflow(elements, size, &elements)) fail("exceeds 64 bits");
    }
    const std::uint64_t columns = shape.empty() ? 1 : shape.back();
    if (columns % block.block_size != 0)
        fail("has rows of " + std::to_string(columns) + ", " + std::string(block.name) +
             " needs a multiple of " + std::to_string(block.block_size));
    std::uint64_t bytes = 0;
    if (__builtin_mul_overflow(elements / block.block_size, block.block_bytes, &bytes))
        fail("exceeds 64 bits");
    return bytes;
}

std::string shape_text(std::span<const std::uint64_t> shape) {
    if (shape.empty()) return "()";
    std::string text;
    for (const std::uint64_t size : shape) {
        if (!text.empty()) text += " x ";
        text += std::to_string(size);
    }
    return text;
}

std::string printable(std::string_view text, std::size_t longest) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string line;
    for (const char c : text.substr(0, longest)) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte < 0x7f)
            line += c;
        else
            (line += "\\x").append({digits[byte >> 4], digits[byte & 15]});
    }
    return text.size() > longest ? line + "..." : line;
}

}  // namespace assay
