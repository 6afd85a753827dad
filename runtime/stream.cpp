#include "runtime/stream.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "runtime/error.h"
#include "runtime/vk/recorder.h"

namespace assay {
namespace {

constexpr std::uint64_t alignment = 256;  // of every tensor: more than any device's minimum
constexpr std::uint64_t block_bytes = 16 * 1024 * 1024;  // the least a growing arena asks for
constexpr std::uint64_t guard_bytes = 256;
constexpr std::byte guard_byte{0xa5};

std::uint64_t align_up(std::uint64_t bytes) {
    return (bytes + alignment - 1) / alignment * alignment;
}

}  // namespace

Stream::Stream(Device& device, const StreamOptions& options)
    : device_(device),
      options_(options),
      recorder_(std::make_unique<vk::Recorder>(device.context(), options.profile)) {}

Stream::~Stream() = default;

// Finds room in the last block or opens a new one; a later block is empty and may be reopened.
template <class Blocks>
static std::pair<std::size_t, std::uint64_t> place(Device& device, Blocks& blocks,
                                                   std::uint64_t bytes, Memory memory,
                                                   const char* name) {
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        const bool last_in_use = i + 1 == blocks.size() || blocks[i + 1].used == 0;
        if (last_in_use && blocks[i].used + bytes <= blocks[i].buffer.bytes()) {
            blocks[i].used += bytes;
            return {i, blocks[i].used - bytes};
        }
    }
    blocks.push_back({Buffer(device, std::max(bytes, block_bytes), memory, name), bytes});
    return {blocks.size() - 1, 0};
}

Tensor Stream::scratch(std::uint32_t rows, std::uint32_t row_size) {
    const Tensor shape{0, {rows, row_size, 1}};
    const std::uint64_t bytes = align_up(shape.bytes());
    const std::uint64_t guard = options_.guard ? guard_bytes : 0;
    auto [block, offset] = place(device_, scratch_, bytes + guard,
                                 options_.guard ? Memory::download : Memory::device, "scratch");
    const std::uint64_t begin = scratch_[block].buffer.address() + offset;
    live_.push_back({block, begin, begin + shape.bytes()});
    if (options_.guard) {
        const auto rest = scratch_[block].buffer.host().subspan(offset + shape.bytes(),
                                                                bytes + guard - shape.bytes());
        std::ranges::fill(rest, guard_byte);
    }
    std::uint64_t used = 0;
    for (auto& b : scratch_) used += b.used;
    scratch_peak_ = std::max(scratch_peak_, used);
    return {begin, shape.shape};
}

Stream::Scope::Scope(Stream& s) : stream_(s), mark_(s.live_.size()) {}
Stream::Scope::~Scope() { stream_.release_to(mark_); }

void Stream::release_to(std::size_t mark) {
    if (options_.guard) return;  // nothing is reused before the guards were looked at
    while (live_.size() > mark) {
        Block& block = scratch_[live_.back().block];
        block.used = live_.back().begin - block.buffer.address();
        live_.pop_back();
    }
}

void Stream::check_guards() const {
    for (std::size_t i = 0; i < live_.size(); ++i) {
        const Block& block = scratch_[live_[i].block];
        const std::uint64_t first = live_[i].end - block.buffer.address();
        const std::uint64_t size =
            align_up(live_[i].end - live_[i].begin) - (live_[i].end - live_[i].begin) + guard_bytes;
        const auto words = block.buffer.host().subspan(first, size);
        if (!std::ranges::all_of(words, [](std::byte b) { return b == guard_byte; }))
            throw Error("scratch tensor " + std::to_string(i) +
                        ": something was written beyond its end");
    }
}

Tensor Stream::upload_bytes(std::span<const std::byte> bytes) {
    auto& uploads = steps_[recording_].uploads;
    auto [block, offset] =
        place(device_, uploads, align_up(bytes.size()), Memory::upload, "upload");
    if (!bytes.empty())
        std::memcpy(uploads[block].buffer.host().data() + offset, bytes.data(), bytes.size());
    return {uploads[block].buffer.address() + offset,
            {static_cast<std::uint32_t>(bytes.size() / 4), 1, 1}};
}

void Stream::copy(const Tensor& from, const Tensor& to) {
    if (from.bytes() != to.bytes()) throw std::logic_error("copy: the tensors differ in size");
    recorder_->copy(from.address, to.address, from.bytes());
}

void Stream::download_bytes(const Tensor& from, std::span<std::byte> to) {
    if (from.bytes() != to.size())
        throw std::logic_error("download: the tensor and its destination differ in size");
    Step& step = steps_[recording_];
    auto [block, offset] =
        place(device_, step.downloads, align_up(to.size()), Memory::download, "download");
    recorder_->copy(from.address, step.downloads[block].buffer.address() + offset, to.size());
    step.pending.push_back({block, offset, to});
}

MemoryAccess Stream::extent(std::uint64_t address) const {
    // Later tensors may lie in a reused place, so the newest that holds the address is the one
    // meant.
    for (auto live = live_.rbegin(); live != live_.rend(); ++live)
        if (live->begin <= address && address < live->end) return {address, live->end};
    return {address, device_.context().find_range(address).end};
}

void Stream::record(std::uint16_t kernel, const Constants& constants,
                    std::span<const std::byte> params, const Groups& groups, Cost cost) {
    const Grid* grid = std::get_if<Grid>(&groups);
    if (grid && (grid->x == 0 || grid->y == 0 || grid->z == 0)) return;
    std::vector<MemoryAccess> touched;
    for (const PointerAccess& pointer : device_.context().pipelines().kernel(kernel).accesses) {
        std::uint64_t address = 0;
        std::memcpy(&address, params.data() + pointer.offset, sizeof address);
        MemoryAccess access = extent(address);
        access.reads = pointer.reads;
        access.writes = pointer.writes;
        touched.push_back(access);
    }
    recorder_->dispatch(kernel, constants, params, touched, groups, cost);
}

double Stream::most_flops() const {
    return options_.dispatch_seconds * recorder_->cost_per_second();
}

Ticket Stream::submit() { return Ticket{recorder_->submit()}; }

void Stream::wait(Ticket ticket) {
    recorder_->wait(static_cast<std::uint64_t>(ticket));
    for (Step& step : steps_)
        if (step.ended && step.ticket <= ticket) finish(step);
}

Ticket Stream::end_step() {
    Step& step = steps_[recording_];
    step.ticket = submit();
    step.ended = true;
    if (options_.guard) {
        wait(step.ticket);
        check_guards();
    }
    reset_scratch();
    const Ticket ticket = step.ticket;
    recording_ = 1 - recording_;
    if (steps_[recording_].ended) wait(steps_[recording_].ticket);
    return ticket;
}

// Fills the downloads of a step that the device is done with.
void Stream::finish(Step& step) {
    for (const auto& [block, offset, to] : step.pending)
        std::memcpy(to.data(), step.downloads[block].buffer.host().data() + offset, to.size());
    reset(step);
}

void Stream::reset(Step& step) noexcept {
    step.pending.clear();
    step.ended = false;
    for (auto* blocks : {&step.uploads, &step.downloads})
        for (Block& block : *blocks) block.used = 0;
}

void Stream::reset_scratch() noexcept {
    live_.clear();
    for (Block& block : scratch_) block.used = 0;
}

void Stream::abandon() noexcept {
    recorder_->abandon();
    for (Step& step : steps_) reset(step);
    reset_scratch();
}

void Stream::reserve(std::uint64_t bytes) {
    scratch_.push_back(
        {Buffer(device_, bytes, options_.guard ? Memory::download : Memory::device, "scratch"), 0});
}

const std::vector<ProfileEvent>& Stream::profile() const { return recorder_->events(); }
void Stream::clear_profile() { recorder_->events().clear(); }

}  // namespace assay
