#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "grader/grader.h"

namespace assay {

// A question until it is answered: one text and the verdict that it states, or that is read from a
// tail behind it. The requests to the generator own it.
class Grader::Judging : public std::enable_shared_from_this<Judging> {
public:
    using OnGrade = std::function<void(std::variant<Grade, Unscored>)>;

    Judging(const Grader& grader, const Question& question, OnGrade on_grade, OnText on_text);

    void start(std::uint32_t sample);

private:
    // Where a legal verdict follows the marker.
    struct Place {
        std::size_t begin;   // of the verdict, in the text
        std::size_t tokens;  // of the text before it
        std::vector<float> logits;
    };

    void write();
    void write_again();
    bool take(TokenId token, std::span<const float> logits);
    void end_text(const Generation& generation);
    void force_verdict();
    void end_tail(const Generation& generation);
    void answer(std::span<const float> logits);
    void say(std::string_view piece);

    const Grader& grader_;
    const Question question_;
    std::uint32_t sample_ = 0;
    const Ending& ending_;
    OnGrade on_grade_;
    OnText on_text_;

    Grade grade_;  // as far as it is known
    StreamDecoder decoder_;
    std::vector<std::size_t> token_begins_;  // where in the feedback the text of each token starts
    std::optional<Place> place_;             // the last one
    std::optional<VerdictMatch> stated_;
};

}  // namespace assay
