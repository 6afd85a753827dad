#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace assay {

// What a kernel's code does through one pointer of its parameters.
struct PointerAccess {
    std::uint32_t offset;   // of the pointer in the parameter struct, in bytes
    std::uint32_t binding;  // of its buffer, where buffers are bound through descriptors
    bool reads, writes;
};

// One compiled variant of a kernel.
struct Spirv {
    std::string_view name;  // "direct.q4_0"
    std::span<const std::uint32_t> words;
    std::span<const PointerAccess> accesses;
};

std::span<const Spirv> all_kernels();  // buffers reached by address: what runs
std::span<const Spirv>
bound_kernels();  // buffers bound through descriptors: same order, for the validation layers

template <class Axis>
inline constexpr std::uint16_t axis_size = 0;  // specialised in kernels.gen.h

// Values of a kernel's specialization constants 0, 1, 2 ...; what is not given keeps its default.
struct Constants {
    std::array<std::uint32_t, 9> values{};
    std::uint32_t count = 0;
    bool operator==(const Constants&) const = default;
};

// One variant and its specialization. What it is pushed is part of its type.
template <class Params>
struct Variant {
    std::uint16_t index;  // into all_kernels()
    Constants constants{};

    template <class... Values>
    constexpr Variant specialize(Values... values) const {
        return {index, {{static_cast<std::uint32_t>(values)...}, sizeof...(Values)}};
    }
};

// A kernel is called with one value per axis to name a variant; its pipeline is built on first use.
template <class Params, class... Axes>
struct Kernel {
    std::uint16_t first;

    constexpr Variant<Params> operator()(Axes... values) const {
        std::uint16_t i = 0;
        ((i = static_cast<std::uint16_t>(i * axis_size<Axes> + static_cast<std::uint16_t>(values))),
         ...);
        return {static_cast<std::uint16_t>(first + i)};
    }
};

}  // namespace assay
