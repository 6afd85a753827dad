#pragma once
#include <array>
#include <span>
#include <string>
#include <vector>

#include "runtime/ops.h"
#include "tests/reference/reference.h"
#include "tests/support/devices.h"
#include "tests/support/random.h"

namespace assay::test {

constexpr double rounding = 0x1p-24;  // of one f32 operation, relative

// Host values as a tensor, valid until wait().
template <class T>
Tensor upload(Stream& s, const std::vector<T>& values, std::array<std::uint32_t, 3> shape) {
    Tensor tensor = s.upload(std::span<const T>(values));
    tensor.shape = shape;
    return tensor;
}

// Room for a tensor's elements, filled by the next wait(). Keep it where it does not move until
// then.
template <class T = float>
std::vector<T> download(Stream& s, const Tensor& from) {
    std::vector<T> values(from.size());
    s.download(from, std::span<T>(values));  // the storage stays when the vector is moved
    return values;
}

// The bits of each, to be compared.
std::vector<std::uint32_t> bits(std::span<const float> values);

// Fails once, naming the element that is farthest off, unless each is within `relative` of its
// magnitude. The largest error so far, as a share of what is allowed, becomes a property of the
// test ("largest_error").
void expect_close(std::span<const float> actual, const reference::Expected& expected,
                  double relative, const std::string& what);

// Every way to compute a matrix product of x as it is that the device has kernels for, those of
// cooperative matrices only if asked: lavapipe compiles each for a third of a second.
std::vector<ops::MatmulPath> matmul_paths(bool with_matrices = true);
bool takes_halves(ops::MatmulPath path);  // in place of x
std::string name(ops::MatmulPath path);

// The rows of a weight matrix as a model file holds them.
struct FileWeight {
    Format format{};
    std::uint32_t out_dim = 0, in_dim = 0;
    std::vector<std::byte> bytes;

    std::vector<float> values() const;  // decoded
    std::span<const std::byte> rows(std::uint32_t first, std::uint32_t count) const;
};

std::vector<Format> all_formats();
// Every bit of a block is random but for the scales, which make the weights about 1 / sqrt(in_dim).
FileWeight random_weight(Format format, std::uint32_t out_dim, std::uint32_t in_dim,
                         Random& random);

// A weight on the device, laid out by ops::repack as the loader does it.
class DeviceWeight {
public:
    DeviceWeight(Stream& s, const FileWeight& file);
    operator const Weight&() const {
        return weight_;
    }  // NOLINT(google-explicit-constructor): that is its purpose

private:
    Buffer buffer_;
    Weight weight_;
};

// File bytes, whose size need not be a multiple of 4, as a tensor.
Tensor upload_bytes(Stream& s, std::span<const std::byte> bytes);

}  // namespace assay::test
