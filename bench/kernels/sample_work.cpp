#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "bench/kernels/work.h"
#include "tests/reference/reference.h"

namespace assay::bench {
namespace {

// How a token is chosen among which logits.
struct Kind {
    std::string_view part;
    reference::Sampling how;
    float deviation;  // of logits, which are normal
    float lead;       // that a few tokens have over the others
};
constexpr reference::Sampling nucleus{.temperature = 1, .top_p = 0.9, .repetition_penalty = 1.03};
constexpr Kind kinds[] = {
    {"greedy", {.repetition_penalty = 1.03}, 2, 14},
    {"lead", nucleus, 2, 14},
    {"tail", nucleus, 3, 0},
    {"flat", nucleus, 0.1F, 0},
};

const Kind& kind_of(const Shape& shape) {
    for (const Kind& kind : kinds)
        if (kind.part == shape.part) return kind;
    throw std::logic_error("no such way to sample");
}

class SampleWork : public Work {
public:
    explicit SampleWork(const Case& c) : case_(c), kind_(kind_of(*c.shape)) {}

    // Adversarial logits have many ties.
    Errors check(Stream& s, Data data) override {
        fill(s, data);
        std::vector<std::uint32_t> tokens(case_.rows);
        s.download(sample(s), std::span(tokens));
        s.wait();
        ErrorMeter meter;
        for (const std::uint32_t row : spread(case_.rows, 4)) {
            std::vector<bool> seen(vocabulary());
            for (std::uint32_t t = 0; t < vocabulary(); ++t)
                seen[t] = (seen_[row * words() + t / 32] >> t % 32 & 1) != 0;
            const auto left = reference::sampling_probabilities(
                std::span(logits_).subspan(std::size_t{row} * vocabulary(), vocabulary()), seen,
                kind_.how);
            meter.add(reference::may_be_drawn(left, tokens[row], how_[row].uniform_number));
        }
        return meter.errors();
    }
    void run(Stream& s) override { sample(s); }
    Cost cost() const override {
        return {.bytes = case_.rows * (4.0 * vocabulary() + 4.0 * words())};
    }

private:
    std::uint32_t vocabulary() const { return case_.shape->in; }
    std::uint32_t words() const { return (vocabulary() + 31) / 32; }

    Tensor sample(Stream& s) {
        return ops::sample(s, logits_on_device_, how_on_device_, seen_on_device_, seen_on_device_,
                           chosen_);
    }

    void fill(Stream& s, Data data) {
        logits_ = numbers_.rows(case_.rows, vocabulary(), Data::random);
        for (float& z : logits_) {
            z *= kind_.deviation;
            if (data == Data::adversarial) z = std::round(z);
        }
        seen_.assign(std::size_t{case_.rows} * words(), 0);
        for (std::uint32_t& word : seen_) word = 0x00010001u << numbers_.below(16);
        how_.clear();
        constexpr std::uint32_t leading = 5;
        for (std::uint32_t r = 0; r < case_.rows; ++r) {
            for (std::uint32_t i = 0; i < leading; ++i)
                logits_[std::size_t{r} * vocabulary() + numbers_.below(vocabulary())] +=
                    kind_.lead * static_cast<float>(leading - i) / leading;
            how_.push_back(
                {.temperature = static_cast<float>(kind_.how.temperature),
                 .top_p = static_cast<float>(kind_.how.top_p),
                 .min_p = 0,
                 .repetition_penalty = static_cast<float>(kind_.how.repetition_penalty),
                 .top_k = 0,
                 .uniform_number = static_cast<float>(numbers_.below(1 << 24)) * 0x1p-24F,
                 .row = r,
                 .choice_row = r,
                 .first_guess = 0,
                 .guesses = 0,
                 .keep = 0});
        }
        const std::uint32_t rows = case_.rows;
        logits_on_device_ = Operand(s, logits_, {rows, vocabulary(), 1});
        seen_on_device_ = Operand(s, seen_, {rows, words(), 1});
        how_on_device_ = Operand(s, how_, {rows, sizeof(shader::SampleRow) / 4, 1});
        chosen_ = Operand(s, std::vector<std::uint32_t>(rows), {rows, 1, 1});
    }

    Case case_;
    const Kind& kind_;
    std::vector<float> logits_;        // (rows, vocabulary)
    std::vector<std::uint32_t> seen_;  // (rows, words)
    std::vector<shader::SampleRow> how_;
    Operand logits_on_device_, seen_on_device_, how_on_device_, chosen_;
    Numbers numbers_{13};
};

}  // namespace

std::unique_ptr<Work> make_sample(Stream&, const Case& c) {
    return std::make_unique<SampleWork>(c);
}

}  // namespace assay::bench
