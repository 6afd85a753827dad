#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "grader/asking.h"
#include "grader/item.h"
#include "grader/record.h"
#include "model/engine/generator.h"

namespace assay {

using OnRecord = std::function<void(Record)>;
// Called with each piece of feedback as it is written: whole UTF-8 characters. Of an item with
// several texts, the first alone is told.
using OnText = std::function<void(std::string_view)>;

// Grades items, many at once. The judge writes feedback freely; if its text states no verdict, a
// tail with the verdict's marker is put after it and the likeliest legal token taken, so that a
// verdict always exists. Probabilities come from the raw logits where the verdict stands.
// A pair may be shown in both orders, and several texts drawn of each; the record then combines
// their grades. Random numbers depend on the seed, the prompt and the number of the sample alone,
// so that an item gets the same texts wherever and beside whatever it is graded.
class Grader {
public:
    // Generator and tokenizer must outlive the grader. Throws an Error if the vocabulary can't tell
    // the verdicts of a mode apart by one token.
    Grader(Generator& generator, const Tokenizer& tokenizer, GraderOptions options);
    Grader(const Grader&) = delete;
    Grader& operator=(const Grader&) = delete;

    // Takes an item up. Its record comes in a later step of the generator, which must take none
    // after the grader's end; or at once if the item cannot be graded. What is wrong with the item
    // makes an unscored record; what is wrong with the model is an Error of that step.
    void start(const Item& item, const OnRecord& on_record, const OnText& on_text = {});

    // Takes an item up and steps until its record is there.
    Record grade(const Item& item, const OnText& on_text = {});

    const Ending& ending(Mode mode) const { return asking_.ending(mode); }

private:
    class Judging;

    void judge(std::span<const Question> questions, std::uint32_t first_sample, Record record,
               const OnRecord& on_record, const OnText& on_text);

    Generator& generator_;
    const Tokenizer& tokenizer_;
    GraderOptions options_;
    Asking asking_;  // with those options
};

}  // namespace assay
