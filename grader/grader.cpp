#include "grader/grader.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "grader/judging.h"
#include "runtime/hash.h"

namespace assay {
namespace {

std::size_t find_longest_piece(const Tokenizer& tokenizer) {
    std::size_t longest = 1;
    for (TokenId id = 0; id < tokenizer.vocab_size(); ++id)
        longest = std::max(longest, tokenizer.piece(id).size());
    return longest;
}

Unscored context_exceeded(const std::string& tokens, std::uint32_t context) {
    return {"context_exceeded",
            "the prompt has " + tokens + " tokens, the context " + std::to_string(context)};
}

Item in_order(Item item, Order order) {
    if (order == Order::ba) std::swap(item.response, item.response_b);
    return item;
}

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

GraderOptions options_of(const Profile& profile) {
    GraderOptions options;
    options.profile = &profile;
    options.sampling = {.temperature = profile.sampling.temperature,
                        .top_p = profile.sampling.top_p,
                        .repetition_penalty = profile.sampling.repetition_penalty};
    options.max_new_tokens = profile.sampling.max_new_tokens;
    return options;
}

std::vector<TokenId> prompt_tokens(const Tokenizer& tokenizer, const Prompt& prompt) {
    std::vector<TokenId> ids(prompt.bos, tokenizer.bos_id());
    const std::vector<TokenId> text = tokenizer.encode(prompt.text);
    ids.insert(ids.end(), text.begin(), text.end());
    return ids;
}

Grader::Grader(Generator& generator, const Tokenizer& tokenizer, GraderOptions options)
    : generator_(generator),
      tokenizer_(tokenizer),
      options_(std::move(options)),
      endings_{find_ending(tokenizer, Mode::absolute), find_ending(tokenizer, Mode::relative)},
      longest_piece_(find_longest_piece(tokenizer)) {}

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
    if (!options_.profile->has(item.mode)) {
        record.result =
            Unscored{"unsupported_format", missing_format(*options_.profile, item.mode)};
        return on_record(std::move(record));
    }
    if (options_.scale && item.mode == Mode::relative) {
        record.result = Unscored{"unsupported_scale", "a pair has no score to tell on the scale " +
                                                          std::string(options_.scale->name)};
        return on_record(std::move(record));
    }
    std::vector<Order> orders{Order::ab};
    if (item.mode == Mode::relative && options_.orders == Orders::both) orders.push_back(Order::ba);
    std::vector<Question> questions;
    for (Order order : orders) {
        const Prompt prompt = render(*options_.profile, in_order(item, order));
        record.warnings = prompt.warnings;
        if (record.scale) record.warnings.emplace_back("outside_training");
        auto asked = ask(prompt, item.mode, order);
        if (auto* unscored = std::get_if<Unscored>(&asked)) {
            record.result = std::move(*unscored);
            return on_record(std::move(record));
        }
        questions.push_back(std::move(std::get<Question>(asked)));
    }
    judge(questions, item.first_sample, std::move(record), on_record, on_text);
}

Record Grader::grade(const Item& item, const OnText& on_text) {
    // Shared, since a step that throws leaves the item with the generator.
    const auto record = std::make_shared<std::optional<Record>>();
    start(
        item, [record](Record made) { *record = std::move(made); }, on_text);
    while (!*record) generator_.step();
    return std::move(**record);
}

std::variant<Grader::Question, Unscored> Grader::ask(const Prompt& prompt, Mode mode,
                                                     Order order) const {
    const std::uint32_t context = generator_.context();
    // A text of megabytes need not be cut into tokens to see that it is too long.
    if (const std::size_t least = prompt.text.size() / longest_piece_; least >= context)
        return context_exceeded("at least " + std::to_string(least), context);
    std::vector<TokenId> tokens = prompt_tokens(tokenizer_, prompt);

    // The tail and the verdict must fit behind whatever is written.
    const std::size_t needed = tokens.size() + ending(mode).tail.size() + 1;
    if (needed >= context) return context_exceeded(std::to_string(tokens.size()), context);
    return Question{.mode = mode,
                    .order = order,
                    .prompt = std::move(tokens),
                    .prompt_hash = fnv1a(prompt.text),
                    .max_new_tokens = static_cast<std::uint32_t>(
                        std::min<std::size_t>(options_.max_new_tokens, context - needed))};
}

void Grader::judge(const std::vector<Question>& questions, std::uint32_t first_sample,
                   Record record, const OnRecord& on_record, const OnText& on_text) {
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
