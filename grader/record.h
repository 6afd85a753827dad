#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

#include "grader/item.h"
#include "grader/mode.h"
#include "grader/scale.h"
#include "grader/truncate.h"
#include "grader/verdict.h"
#include "model/tokenizer.h"

namespace assay {

struct Calibration;

// How likely a judge holds each legal verdict of a mode. The probabilities sum to 1.
struct VerdictDistribution {
    Mode mode;
    std::vector<double> probabilities;  // in the order of legal_verdicts(mode)

    double of(Verdict verdict) const;
    Verdict likeliest() const;      // the first of equals
    double expected_score() const;  // of an absolute distribution
    double entropy() const;         // nats
};

// Logits that no probabilities can be made of.
struct NotFinite : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// The softmax over the raw logits of the legal verdicts' tokens, in the order of
// legal_verdicts(mode). Throws NotFinite when one of them is NaN or +infinity or none is finite,
// and a runtime_error when their number is wrong.
VerdictDistribution verdict_distribution(Mode mode, std::span<const float> logits);

// Whether the judge's text states the verdict, or it was read from a tail put after the text.
enum class VerdictSource { text, forced };

// Why generation ended: the judge ended its text, the token limit came, or nothing more was wanted
// because the verdict was certain (or no feedback was asked for).
enum class Finish { eos, length, verdict };

// How the judge saw a pair: as it was given, or with its responses exchanged.
enum class Order { ab, ba };

struct TokenCounts {
    std::size_t prompt = 0;  // BOS included
    std::size_t cached = 0;  // of the prompt, found in the KV cache
    std::size_t generated = 0;
};

struct Milliseconds {
    double prefill = 0;
    double decode = 0;
};

struct Judge {
    std::string model;
    std::string quant;        // the weight format, as the file spells it
    std::string sha256 = {};  // of its files (see Fingerprint); empty: not known
};

// What a judge made of an item: of one text that it wrote, or of several put together.
struct Grade {
    // Of the responses as they were given, whatever the order; the feedback alone says "A" for
    // response B where the judge saw them exchanged.
    Verdict verdict;
    VerdictDistribution distribution;
    VerdictSource source = VerdictSource::text;
    Finish finish = Finish::eos;
    std::string feedback = {};  // the judge's text as it wrote it
    TokenCounts tokens = {};
    Milliseconds milliseconds = {};
    std::size_t redraws = 0;  // texts before this one that stated no verdict; their cost is in it
    // Tokens after the prompt: what the judge wrote, with the one that ends its text; and what the
    // probabilities follow, which ends in a tail where the verdict is forced.
    std::vector<TokenId> written = {}, before_verdict = {};
    Order order = Order::ab;
};

// Several grades of one item as one: the verdict that most of them give, of equals the likeliest
// by the mean of their distributions, which becomes the distribution. Tokens and time are summed;
// all else is of the first grade with that verdict. Throws a runtime_error if there are none.
Grade combined(std::span<const Grade> grades);

// Why an item has no grade. Never a score of 0.
struct Unscored {
    std::string
        reason;  // one word for programs: invalid_item, context_exceeded, unsupported_format, ...
    std::string error;  // one line for people
};

// What a record repeats of its item, for statistics.
struct AboutItem {
    std::optional<Label> label = {};
    std::optional<std::string> group = {};
    std::string generator = {}, generator_b = {};
    std::vector<std::size_t> characters = {};  // code points of the response or of both; empty: no
                                               // item
};

AboutItem about(const Item& item);

// What grading one item gives.
struct Record {
    ItemId id;
    std::string item_hash = {};  // see item_hash(); empty: not known
    std::optional<Mode> mode;    // unknown when the line was no item
    std::variant<Grade, Unscored> result;
    // The grades that the result combines, in both orders or several samples of each: all of order
    // ab before those of ba. Empty if it is of one text.
    std::vector<Grade> parts = {};
    std::string profile = {};
    Judge judge = {};
    std::optional<std::uint64_t> seed = {};
    std::vector<std::string> warnings = {};
    std::vector<LeftOut> truncated = {};  // what the judge did not see of the item
    AboutItem about = {};
    std::optional<Scale> scale = {};                      // that an absolute grade is told on too
    std::shared_ptr<const Calibration> calibration = {};  // that the grade is told by too

    bool scored() const { return std::holds_alternative<Grade>(result); }
    // Of a pair in both orders: whether its verdict is the same in both.
    std::optional<bool> consistent() const;
};

Record unscored(const BadItem& item);

nlohmann::ordered_json to_json(const Record& record);  // probabilities to 6 significant digits

// The record as one line without its line break; bytes that are no UTF-8 become U+FFFD.
std::string to_json_line(const Record& record);

}  // namespace assay
