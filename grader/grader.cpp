#include "grader/grader.h"

#include <memory>
#include <optional>
#include <utility>

#include "grader/judging.h"

namespace assay {
namespace {

// An item's grades until all are there.
struct Collection {
    Record record;
    OnRecord on_record;
    std::vector<Grade> grades;
    std::size_t missing = grades.size();
    std::optional<Unscored> unscored = {};  // if one of them could not be had

    void put(std::size_t index, std::variant<Grade, Unscored> result) {
        if (auto* grade = std::get_if<Grade>(&result))
            grades[index] = std::move(*grade);
        else
            unscored = std::get<Unscored>(std::move(result));
        if (--missing > 0) return;
        if (unscored) {
            record.result = *std::move(unscored);
        } else {
            record.result = combined(grades);
            if (grades.size() > 1) record.parts = std::move(grades);
        }
        on_record(std::move(record));
    }
};

}  // namespace

Grader::Grader(Generator& generator, const Tokenizer& tokenizer, GraderOptions options)
    : generator_(generator),
      tokenizer_(tokenizer),
      options_(std::move(options)),
      asking_(tokenizer, options_, generator.context()) {}

void Grader::start(const Item& item, const OnRecord& on_record, const OnText& on_text) {
    Record record{.id = item.id,
                  .mode = item.mode,
                  .result = Unscored{},
                  .profile = std::string(options_.profile->name),
                  .judge = options_.judge,
                  .seed = options_.seed,
                  .about = about(item),
                  .scale = options_.scale,
                  .calibration = options_.calibration};
    Asked asked = asking_.ask(item);
    record.warnings = std::move(asked.warnings);
    if (asked.truncated) record.truncated = std::move(asked.truncated->left_out);
    if (asked.unscored) {
        record.result = *std::move(asked.unscored);
        return on_record(std::move(record));
    }
    judge(asked.questions, item.first_sample, std::move(record), on_record, on_text);
}

Record Grader::grade(const Item& item, const OnText& on_text) {
    // Shared, since a step that throws leaves the item with the generator.
    const auto record = std::make_shared<std::optional<Record>>();
    start(
        item, [record](Record made) { *record = std::move(made); }, on_text);
    while (!*record) generator_.step();
    return std::move(**record);
}

void Grader::judge(std::span<const Question> questions, std::uint32_t first_sample, Record record,
                   const OnRecord& on_record, const OnText& on_text) {
    const std::uint32_t samples = options_.verdict_only ? 1 : options_.samples;
    const auto collection = std::make_shared<Collection>(
        Collection{std::move(record), on_record, std::vector<Grade>(questions.size() * samples)});
    std::size_t index = 0;
    for (const Question& question : questions)
        for (std::uint32_t sample = 0; sample < samples; ++sample, ++index) {
            const auto put = [collection, index](std::variant<Grade, Unscored> result) {
                collection->put(index, std::move(result));
            };
            std::make_shared<Judging>(*this, question, put, index == 0 ? on_text : OnText{})
                ->start(first_sample + sample);
        }
}

}  // namespace assay
