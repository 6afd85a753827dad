#pragma once
#include <cstddef>
#include <deque>
#include <span>
#include <string>
#include <vector>

#include "model/engine/engine.h"
#include "runtime/error.h"

// The parts of an engine's steps; for its own sources.
namespace assay {

// Some of one work's new tokens, computed together with other pieces in one pass.
struct Engine::Piece {
    std::size_t work;            // index
    std::uint32_t first, count;  // of its tokens
};

// A step that is under way.
struct Engine::Step {
    struct Chooser {
        std::size_t work;  // index
        Sequence* sequence;
        std::uint32_t position;  // of the token chosen
        std::ptrdiff_t asked;    // tokens whose logits come with it
        bool sampled;
    };
    // What the host gets of one pass.
    struct Results {
        Ticket ticket{};
        std::vector<Chooser> choosers;  // in the order of the rows
        std::vector<TokenId> chosen;    // of those that are sampled
        std::vector<float> asked;
    };
    // What a sequence had before the step, or before it adopted what the step computes.
    struct Before {
        Sequence* sequence;
        std::uint32_t length;
    };
    std::vector<Outcome> outcomes;  // by work
    std::deque<Results> passes;
    std::vector<Before> before;
};

// What the host says of a pass, and wants of it.
struct Engine::Pass {
    std::vector<TokenId> tokens;
    std::vector<std::uint32_t> positions, slots, wanted, tables;
    std::uint32_t table_stride = 0, most_keys = 0;
    std::vector<ops::QueryRun> runs, wanted_runs;  // all rows; those wanted, the last of each run
    bool names_chosen = false;  // some tokens are those chosen before

    // Rows of logits follow `wanted`.
    std::vector<shader::SampleRow> how;
    std::vector<shader::LogitPlace> asked;
    // Tokens that sequences now hold, among those of the pass and among `earlier` ones; of the
    // cleared rows nothing was marked before.
    std::vector<std::uint32_t> cleared;
    std::vector<shader::SeenMark> marks, earlier_marks;
    std::vector<TokenId> earlier;
    struct Download {
        std::uint32_t first_row, rows;
        std::span<float> to;
    };
    std::vector<Download> logits;
    Step::Results* results = nullptr;

    std::uint32_t rows() const { return static_cast<std::uint32_t>(tokens.size()); }
};

// What the device keeps to choose tokens by, each row for one sequence.
struct Engine::ChoiceState {
    ChoiceState(Device& device, std::uint32_t sequences, std::uint32_t vocabulary)
        : words((vocabulary + 31) / 32),
          seen_memory(device, 4ull * sequences * words, Memory::device, "seen tokens"),
          chosen_memory(device, 4ull * sequences, Memory::device, "chosen tokens"),
          seen{seen_memory.address(), {sequences, words, 1}},
          chosen{chosen_memory.address(), {sequences, 1, 1}} {
        for (std::uint32_t row = sequences; row > 0; --row) free.push_back(row - 1);
    }
    std::uint32_t take() {
        if (free.empty())
            throw Error("tokens are chosen for more than " + std::to_string(chosen.rows()) +
                        " sequences at a time");
        const std::uint32_t row = free.back();
        free.pop_back();
        return row;
    }

    std::uint32_t words;  // of a row of `seen`
    Buffer seen_memory, chosen_memory;
    Tensor seen;                      // u32: a bit for each token that a sequence holds
    Tensor chosen;                    // u32: the token chosen last
    std::vector<std::uint32_t> free;  // rows
};

}  // namespace assay
