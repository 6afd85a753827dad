#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <variant>
#include <vector>

#include "runtime/buffer.h"
#include "runtime/hazards.h"
#include "runtime/profile.h"
#include "runtime/tensor.h"

namespace assay {

namespace vk {
class Recorder;
}

struct Grid {
    std::uint32_t x = 1, y = 1, z = 1;  // workgroups
};

// Workgroups of a dispatch, or the address of three u32 that say how many.
using Groups = std::variant<Grid, std::uint64_t>;

struct StreamOptions {
    bool profile = false;  // a timestamp pair around every dispatch
    bool guard = false;    // guard words behind every scratch tensor, checked by wait() (tests)
    double dispatch_seconds = 0.25;  // the longest that one dispatch should run, see most_flops()
    // Operations compute a row in the same order of sums whatever else is in the step, so that it
    // gives the same bits alone, in a batch, and in any chunk of a prompt.
    bool batch_invariant = false;
    // Matrix products take x in 8 bits, see MatmulPath::dot, where the weight's format allows it.
    bool int8_activations = false;
};

// Stands for work handed to the device, for wait().
enum class Ticket : std::uint64_t {};

// Records the dispatches of one step, submits them in bounded pieces, and owns their scratch
// memory.
class Stream {
public:
    explicit Stream(Device& device, const StreamOptions& options = {});
    ~Stream();
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    Device& device() const { return device_; }
    bool batch_invariant() const { return options_.batch_invariant; }
    bool int8_activations() const { return options_.int8_activations; }

    // Barriers follow from what earlier dispatches did to the memory this one touches.
    template <class Params>
    void dispatch(const Variant<Params>& kernel, const Params& params, Grid groups,
                  Cost cost = {}) {
        static_assert(sizeof(Params) <= 128, "what every device offers for push constants");
        record(kernel.index, kernel.constants, std::as_bytes(std::span(&params, 1)), groups, cost);
    }
    // The same with a number of workgroups that earlier dispatches wrote: (3), u32.
    template <class Params>
    void dispatch(const Variant<Params>& kernel, const Params& params, const Tensor& groups,
                  Cost cost = {}) {
        static_assert(sizeof(Params) <= 128, "what every device offers for push constants");
        record(kernel.index, kernel.constants, std::as_bytes(std::span(&params, 1)), groups.address,
               cost);
    }

    // Operations of one dispatch that take dispatch_seconds on this device, as far as was measured.
    // What is larger should be cut into several, since desktop drivers kill what runs for seconds.
    double most_flops() const;

    // Room for 4-byte elements, contents undefined, valid until its scope ends.
    Tensor scratch(std::uint32_t rows, std::uint32_t row_size);
    // Host data (4-byte elements) as a tensor, valid in this step.
    template <class T>
    Tensor upload(std::span<const T> values) {
        static_assert(sizeof(T) == 4);
        return upload_bytes(std::as_bytes(values));
    }
    // Copies one tensor over another of the same size.
    void copy(const Tensor& from, const Tensor& to);
    // `to` holds the tensor's elements once the step is waited for.
    template <class T>
    void download(const Tensor& from, std::span<T> to) {
        static_assert(sizeof(T) == 4);
        download_bytes(from, std::as_writable_bytes(to));
    }

    // Tensors made by scratch() while a Scope lives are reused once it ends.
    class Scope {
    public:
        explicit Scope(Stream& s);
        ~Scope();
        Scope(const Scope&) = delete;
        Scope& operator=(const Scope&) = delete;

    private:
        Stream& stream_;
        std::size_t mark_;
    };
    [[nodiscard]] Scope scope() { return Scope(*this); }

    Ticket submit();           // hands what is recorded to the device
    void wait(Ticket ticket);  // until that work is done, and downloads of ended steps are filled
    // Submits, and begins a new step while this one may still run: scratch tensors are gone,
    // uploads once it is done. The last step but one is waited for.
    Ticket end_step();
    void wait() { wait(end_step()); }
    void abandon() noexcept;  // ends steps that failed: what is recorded is dropped, downloads are
                              // not filled
    void reserve(std::uint64_t bytes);  // of scratch, in one piece

    std::uint64_t scratch_peak_bytes() const { return scratch_peak_; }
    const std::vector<ProfileEvent>& profile() const;  // of the steps waited for so far
    void clear_profile();

private:
    struct Block {  // a piece of the scratch arena; tensors never straddle two
        Buffer buffer;
        std::uint64_t used = 0;
    };
    struct Live {  // a scratch tensor, in order of allocation
        std::size_t block;
        std::uint64_t begin, end;  // addresses
    };
    struct Download {
        std::size_t block;
        std::uint64_t offset;
        std::span<std::byte> to;
    };
    struct Step {  // what the host and the device hand each other in it
        std::vector<Block> uploads, downloads;
        std::vector<Download> pending;
        Ticket ticket{};  // of its end
        bool ended = false;
    };

    void record(std::uint16_t kernel, const Constants& constants, std::span<const std::byte> params,
                const Groups& groups, Cost cost);
    Tensor upload_bytes(std::span<const std::byte> bytes);
    void download_bytes(const Tensor& from, std::span<std::byte> to);
    void release_to(std::size_t mark);
    void finish(Step& step);
    static void reset(Step& step) noexcept;
    void reset_scratch() noexcept;
    void check_guards() const;
    // The tensor or buffer an address lies in, as [address, its end).
    MemoryAccess extent(std::uint64_t address) const;

    Device& device_;
    StreamOptions options_;
    std::vector<Block> scratch_;
    std::vector<Live> live_;
    std::uint64_t scratch_peak_ = 0;
    std::array<Step, 2> steps_;  // the one being recorded and the one before, in turn
    std::size_t recording_ = 0;
    std::unique_ptr<vk::Recorder> recorder_;
};

}  // namespace assay
