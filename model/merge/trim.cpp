#include "model/merge/trim.h"

#include <algorithm>
#include <array>
#include <bit>

#include "model/merge/merger.h"
#include "model/parallel.h"

namespace assay {
namespace {

using Counts = std::vector<std::uint32_t>;  // of fewer than 2^32

constexpr std::uint32_t halves = 1 << 16;  // values of half a word
constexpr std::uint64_t blocks_at_once = 256;

// Bits of the magnitude: they are ordered as the magnitudes are.
std::uint32_t magnitude(float value) { return std::bit_cast<std::uint32_t>(value) & 0x7fffffffu; }

// The blocks of a tensor in pieces, one thread's work each.
class Pieces {
public:
    Pieces(std::uint64_t elements, std::uint32_t threads, const Trim::Read& read)
        : elements_(elements), threads_(threads), read_(read) {}

    std::uint64_t blocks() const { return (elements_ + block_elements - 1) / block_elements; }

    // Of each piece how many elements `count_one` puts at each half word of their magnitudes.
    template <class Count>
    std::vector<Counts> count(Count&& count_one) const {
        std::vector<Counts> counts((blocks() + blocks_at_once - 1) / blocks_at_once);
        parallel_for(threads_, counts.size(), [&](std::uint64_t piece) {
            Counts part(halves);
            for_blocks(piece, [&](std::uint64_t, std::span<const float> values) {
                for (const float value : values) count_one(part, magnitude(value));
            });
            counts[piece] = std::move(part);
        });
        return counts;
    }

    // Calls `work` with the blocks of a piece.
    template <class Work>
    void for_blocks(std::uint64_t piece, Work&& work) const {
        std::array<float, block_elements> values;
        const std::uint64_t first = piece * blocks_at_once;
        for (std::uint64_t i = first; i < std::min(first + blocks_at_once, blocks()); ++i) {
            const auto part =
                std::span(values).first(std::min(block_elements, elements_ - i * block_elements));
            read_(i, part);
            work(i, std::span<const float>(part));
        }
    }

private:
    std::uint64_t elements_;
    std::uint32_t threads_;
    const Trim::Read& read_;
};

// The index at which `rank` elements (from 1 on) are reached, those at the greatest first. `rank`
// becomes their place among those at that index.
std::uint32_t index_of(const std::vector<Counts>& counts, std::uint64_t& rank) {
    std::vector<std::uint64_t> total(halves);
    for (const Counts& part : counts)
        for (std::size_t i = 0; i < halves; ++i) total[i] += part[i];
    std::uint32_t index = halves - 1;
    while (index > 0 && total[index] < rank) rank -= total[index--];
    return index;
}

}  // namespace

Trim::Trim(std::uint64_t elements, std::uint64_t kept, Format format, std::uint32_t threads,
           const Read& read) {
    const Pieces pieces(elements, threads, read);
    std::uint64_t left = kept;  // of those that have the threshold's magnitude
    std::vector<Counts> counts =
        pieces.count([](Counts& part, std::uint32_t bits) { ++part[bits >> 16]; });
    std::uint32_t index = index_of(counts, left);
    threshold_ = index << 16;
    if (format != Format::bf16) {  // which has no other bits
        const std::uint32_t high = index;
        counts = pieces.count([&](Counts& part, std::uint32_t bits) {
            if (bits >> 16 == high) ++part[bits & 0xffffu];
        });
        index = index_of(counts, left);
        threshold_ |= index;
    }
    // Up to one piece all of these are kept, after it none.
    std::uint64_t piece = 0;
    for (; piece < counts.size() && counts[piece][index] <= left; ++piece)
        left -= counts[piece][index];
    equal_kept_.assign(pieces.blocks(), 0);
    std::fill_n(equal_kept_.begin(), std::min(piece * blocks_at_once, pieces.blocks()),
                block_elements);
    if (left == 0) return;
    pieces.for_blocks(piece, [&](std::uint64_t block, std::span<const float> values) {
        const auto equal = std::ranges::count(values, threshold_, magnitude);
        equal_kept_[block] = std::min(left, static_cast<std::uint64_t>(equal));
        left -= equal_kept_[block];
    });
}

void Trim::mask(std::uint64_t block, std::span<const float> values, std::span<float> mask) const {
    const std::uint64_t left = equal_kept_[block];
    const bool all = left >= values.size();
    if (all || left == 0) {
        const std::uint32_t least = threshold_ + (all ? 0 : 1);
        for (std::size_t i = 0; i < values.size(); ++i)
            mask[i] = magnitude(values[i]) >= least ? 1.0f : 0.0f;
        return;
    }
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const std::uint32_t bits = magnitude(values[i]);
        const bool equal = bits == threshold_;
        mask[i] = bits > threshold_ || (equal && seen < left) ? 1.0f : 0.0f;
        seen += equal;
    }
}

}  // namespace assay
