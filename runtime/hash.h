#pragma once
#include <cstdint>
#include <string_view>

namespace assay {

// FNV-1a of 64 bits (Fowler, Noll & Vo), of what `hash` was of and the text behind it.
constexpr std::uint64_t fnv1a(std::string_view text, std::uint64_t hash = 0xcbf29ce484222325) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    return hash;
}

}  // namespace assay
