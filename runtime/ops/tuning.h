#pragma once
#include <array>
#include <compare>
#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>

#include "runtime/ops/attention_cut.h"

// How matrix products and attention are best cut into workgroups on a device, as far as that was
// measured (`assay bench tune`).
namespace assay::ops {

// How a product is computed: a path, and the numbers its kernels are made with.
//   direct    rows that an invocation serves at most, pairs of outputs that it computes
//   skinny    rows that an invocation serves at most, slices of a sum's terms
//   tiled     none
//   coopmat   those of MatrixCut
//   coopmat2  those of FlexibleCut
//   dot       none, or those of MatrixCut: by cooperative matrices
struct Cut {
    MatmulPath path{};
    std::array<std::uint32_t, 5> numbers{};

    bool operator==(const Cut&) const = default;
};
std::string text(const Cut& cut);  // "skinny(4,32)"

// The most rows of each class of products; those of a class are cut alike.
inline constexpr std::uint32_t row_classes[] = {1, 4, 8, 16, 32, 64, 256, ~0u};
constexpr std::uint32_t most_narrow = 8192;  // outputs of products that are not wide

struct ProductClass {
    Rows of{};            // all, or grouped: routed rows, of an expert
    Format format{};      // of the weight
    std::uint8_t rows{};  // index into row_classes
    bool wide = false;    // never of grouped rows, whose tiles serve narrow and wide products
    bool int8 = false;    // x in bytes: MatmulPath::dot

    auto operator<=>(const ProductClass&) const = default;
};
// Of rows that meet one weight; where an expert's weights have several formats, see least_served().
ProductClass product_class(Rows of, Format format, std::uint32_t rows, std::uint32_t out_dim,
                           bool int8 = false);
std::string text(const ProductClass& c);  // "grouped q4_0, 5 to 8 rows"

// All products of weights in a format.
struct Products {
    Rows of{};
    Format format{};
    bool int8 = false;  // of x in bytes

    auto operator<=>(const Products&) const = default;
};

struct Tuning {
    std::string date;  // of the measurements, UTC; empty: none were made
    // Where the usual cut is not the best.
    std::map<ProductClass, Cut> choices;
    std::map<AttentionClass, AttentionCut> attention{};
    // Products that were measured, or were to be and could not.
    std::set<Products> tried{};

    std::size_t size() const { return choices.size() + attention.size(); }
    bool operator==(const Tuning&) const = default;
};

// What operations on a device go by, unless they are to be batch-invariant; at first nothing.
const Tuning& tuning(Device& device);
// Every choice must fit the device. Not between a route() and the products of its rows.
void set_tuning(Device& device, Tuning tuning);

// Where a device's tuning lies in the folder of its compiled pipelines: a place for each device,
// driver and set of kernels, so that none is used for another.
std::filesystem::path tuning_file(const DeviceInfo& device, const std::filesystem::path& folder);
// Throws an Error that names the file if it is not there, cannot be read, or does not fit the
// device.
Tuning read_tuning(const DeviceInfo& device, const std::filesystem::path& file);
// Makes the folder if need be. Throws an Error that names the file if it cannot be written.
void write_tuning(const Tuning& tuning, const DeviceInfo& device,
                  const std::filesystem::path& file);

}  // namespace assay::ops
