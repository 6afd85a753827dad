#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "runtime/format.h"

namespace assay::bench {

// Throws a std::runtime_error that names what is not a weight format.
Format format_named(const std::string& name);

// Fills blocks as model files hold them: every bit is random but for the scales, which are so that
// the weights' root mean square is about `deviation`. Much faster than quantising random numbers.
class RandomBlocks {
public:
    explicit RandomBlocks(std::uint64_t seed) : state_(seed) {}
    void fill(Format format, double deviation, std::span<std::byte> blocks);

private:
    std::uint64_t next();

    std::uint64_t state_;
};

}  // namespace assay::bench
