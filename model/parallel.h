#pragma once
#include <cstdint>
#include <functional>

namespace assay {

// Calls work(0) ... work(count - 1) from at most `threads` threads, in any order, and returns when
// all are done. The first exception ends the rest and is thrown on.
void parallel_for(std::uint32_t threads, std::uint64_t count,
                  const std::function<void(std::uint64_t)>& work);

}  // namespace assay
