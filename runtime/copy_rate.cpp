#include "runtime/copy_rate.h"

#include <algorithm>
#include <chrono>

#include "runtime/buffer.h"
#include "runtime/device.h"
#include "runtime/stream.h"
#include "runtime/tensor.h"

namespace assay {

double measure_copy_rate(Device& device) {
    using Clock = std::chrono::steady_clock;
    constexpr std::uint32_t rows = 1 << 14, row_size = 1 << 10;  // 64 MiB
    constexpr int copies = 4, rounds = 3;
    const Tensor shape{.address = 0, .shape = {rows, row_size, 1}};
    const Buffer from(device, shape.bytes(), Memory::device, "copied from");
    const Buffer to(device, shape.bytes(), Memory::device, "copied to");
    Stream stream(device);
    double best = 0;
    for (int round = 0; round <= rounds; ++round) {  // the first only touches the memory
        const auto start = Clock::now();
        for (int i = 0; i < copies; ++i)
            stream.copy({from.address(), shape.shape}, {to.address(), shape.shape});
        stream.wait();
        const std::chrono::duration<double> seconds = Clock::now() - start;
        const double rate = 2.0 * copies * static_cast<double>(shape.bytes()) / seconds.count();
        if (round > 0) best = std::max(best, rate);
    }
    return best;
}

}  // namespace assay
