#pragma once
#include <cstdint>
#include <vector>

namespace assay {

// Bytes [begin, end) of device memory that a command reads or writes.
struct MemoryAccess {
    std::uint64_t begin = 0, end = 0;
    bool reads = false, writes = false;
};

// Decides where barriers are due: between two commands of which one writes what the other reads or
// writes.
class Hazards {
public:
    // True if a barrier must come before a command with these accesses, which are then on record.
    // One barrier settles everything recorded so far.
    bool barrier_before(const std::vector<MemoryAccess>& accesses) {
        bool due = false;
        for (const MemoryAccess& next : accesses)
            for (const MemoryAccess& earlier : pending_)
                due |= next.begin < earlier.end && earlier.begin < next.end &&
                       (next.writes || earlier.writes);
        if (due) pending_.clear();
        pending_.insert(pending_.end(), accesses.begin(), accesses.end());
        return due;
    }

    // Everything recorded so far is settled otherwise.
    void clear() { pending_.clear(); }

private:
    std::vector<MemoryAccess> pending_;
};

}  // namespace assay
