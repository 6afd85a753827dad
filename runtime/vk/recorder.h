#pragma once
#include <vulkan/vulkan.h>

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "runtime/hazards.h"
#include "runtime/profile.h"
#include "runtime/stream.h"
#include "runtime/vk/context.h"

namespace assay::vk {

// Records commands into command buffers and submits them in pieces of about a tenth of a second,
// since desktop drivers kill what runs much longer. How long a piece will take is learnt from the
// timestamps of earlier ones.
class Recorder {
public:
    Recorder(Context& context, bool profile);
    ~Recorder();
    Recorder(const Recorder&) = delete;
    Recorder& operator=(const Recorder&) = delete;

    // `touched` holds one entry per pointer of the kernel, in the order of its accesses.
    void dispatch(std::uint16_t kernel, const Constants& constants,
                  std::span<const std::byte> params, const std::vector<MemoryAccess>& touched,
                  const Groups& groups, Cost cost);
    void copy(std::uint64_t from, std::uint64_t to, std::uint64_t bytes);

    std::uint64_t submit();  // the timeline value its completion signals
    void wait(std::uint64_t value);
    void abandon() noexcept;  // drops what is recorded, after what is submitted has ended

    double cost_per_second() const {
        return cost_per_second_;
    }  // operations, and ten for each byte
    std::vector<ProfileEvent>& events() { return events_; }

private:
    struct Piece;  // one submission

    Piece& current();
    void barrier_if_due(const std::vector<MemoryAccess>& accesses);
    void bind_buffers(Piece& piece, const Spirv& kernel, const std::vector<MemoryAccess>& touched);
    void collect(Piece& piece);
    std::uint64_t completed() const;

    Context& context_;
    bool profile_;
    VkCommandPool pool_ = nullptr;
    VkSemaphore timeline_ = nullptr;
    std::uint64_t value_ = 0;  // of the last submission
    std::unique_ptr<Piece> open_;
    std::vector<std::unique_ptr<Piece>> running_, free_;
    Hazards hazards_;
    double cost_per_second_;  // in units of cost_units()
    std::vector<ProfileEvent> events_;
};

}  // namespace assay::vk
