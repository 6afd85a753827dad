#include "grader/grader.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "grader/stopwatch.h"
#include "model/engine/random.h"
#include "runtime/error.h"

namespace assay {
namespace {

constexpr std::string_view marker = "[RESULT]";

// FNV-1a.
std::uint64_t hash(std::string_view text) {
    std::uint64_t value = 0xcbf29ce484222325;
    for (char c : text) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    return value;
}

// Whether the next word is the verdict's place: the marker, then nothing but white space.
bool at_verdict(std::string_view text) {
    const std::size_t last = text.find_last_not_of(" \t\r\n");
    return last != text.npos && text.substr(0, last + 1).ends_with(marker);
}

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

Ending find_ending(const Tokenizer& tokenizer, Mode mode) {
    std::vector<std::vector<TokenId>> texts;
    for (char verdict : legal_verdicts(mode))
        texts.push_back(tokenizer.encode(std::string(marker) + " " + verdict));
    Ending ending;
    const std::size_t length = texts.front().size();
    ending.tail.assign(texts.front().begin(), texts.front().end() - 1);
    for (const auto& text : texts)
        if (text.size() != length ||
            !std::equal(ending.tail.begin(), ending.tail.end(), text.begin()))
            throw Error("tokenizer: verdicts of " + std::string(name(mode)) +
                        " grading are not one token each after \"" + std::string(marker) + "\"");
    for (std::size_t i = 0; i < texts.size(); ++i) {
        const std::string symbol(1, legal_verdicts(mode)[i]);
        std::vector<TokenId> spellings{texts[i].back()};
        for (const std::string& piece : {symbol, "\u2581" + symbol})
            if (auto id = tokenizer.find_piece(piece); id && *id != spellings.front())
                spellings.push_back(*id);
        ending.spellings.push_back(spellings);
    }
    return ending;
}

}  // namespace

struct Grader::Text {
    std::size_t prompt_tokens = 0;
    std::string text;
    std::vector<TokenId> tokens;            // of the text, and the one that ended it
    std::vector<std::size_t> token_begins;  // where in the text each token's own starts
    Finish finish = Finish::length;
    Milliseconds milliseconds;
    // Where a legal verdict followed the marker, the last time it did: its place in the text, the
    // tokens before it, and the logits there.
    std::size_t verdict_begin = 0;
    std::vector<TokenId> before_verdict;
    std::vector<float> verdict_logits;
};

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

Grader::Grader(Writer& writer, const GraderOptions& options)
    : writer_(writer),
      options_(options),
      endings_{find_ending(writer.tokenizer(), Mode::absolute),
               find_ending(writer.tokenizer(), Mode::relative)},
      longest_piece_(find_longest_piece(writer.tokenizer())) {}

Record Grader::grade(const Item& item, const OnText& on_text) {
    Record record{.id = item.id,
                  .mode = item.mode,
                  .result = Unscored{},
                  .profile = std::string(options_.profile->name),
                  .judge = options_.judge,
                  .seed = options_.seed};
    if (!options_.profile->has(item.mode)) {
        record.result =
            Unscored{"unsupported_format", missing_format(*options_.profile, item.mode)};
        return record;
    }
    const Prompt prompt = render(*options_.profile, item);
    record.warnings = prompt.warnings;
    // A text of megabytes need not be cut into tokens to see that it is too long.
    if (const std::size_t least = prompt.text.size() / longest_piece_; least >= writer_.context()) {
        record.result = context_exceeded("at least " + std::to_string(least), writer_.context());
        return record;
    }
    const std::vector<TokenId> ids = prompt_tokens(writer_.tokenizer(), prompt);

    // The tail and the verdict must fit behind whatever is written.
    const std::size_t needed = ids.size() + ending(item.mode).tail.size() + 1;
    if (needed >= writer_.context()) {
        record.result = context_exceeded(std::to_string(ids.size()), writer_.context());
        return record;
    }
    const auto limit = static_cast<std::uint32_t>(
        std::min<std::size_t>(options_.max_new_tokens, writer_.context() - needed));
    record.result = judge_text(write(ids, hash(prompt.text), item.mode, limit, on_text), item.mode);
    return record;
}

// Random numbers depend on the prompt alone, so that an item gets the same text wherever it stands.
Grader::Text Grader::write(const std::vector<TokenId>& prompt, std::uint64_t prompt_hash, Mode mode,
                           std::uint32_t limit, const OnText& on_text) {
    Text text;
    text.prompt_tokens = prompt.size();
    StreamDecoder decoder(writer_.tokenizer());
    const auto& spellings = ending(mode).spellings;
    auto say = [&](const std::string& piece) {
        text.text += piece;
        if (on_text && !piece.empty()) on_text(piece);
    };

    Stopwatch watch;
    writer_.begin(prompt);
    while (text.token_begins.size() < limit) {
        const bool verdict_due = at_verdict(text.text);
        const Draw draw{.seed = options_.seed, .item = prompt_hash};
        Choice choice = writer_.choose(options_.sampling, draw, verdict_due);
        if (text.token_begins.empty()) {
            text.milliseconds.prefill = watch.milliseconds();
            watch.restart();
        }
        if (writer_.ends_text(choice.token)) {
            text.tokens.push_back(choice.token);
            text.finish = Finish::eos;
            break;
        }
        if (verdict_due && std::ranges::any_of(spellings, [&](auto& ids) {
                return std::ranges::count(ids, choice.token) > 0;
            })) {
            text.verdict_begin = text.text.size();
            text.before_verdict = text.tokens;
            text.verdict_logits = std::move(choice.logits);
        }
        text.tokens.push_back(choice.token);
        text.token_begins.push_back(text.text.size());
        writer_.append({&choice.token, 1});
        say(decoder.push(choice.token));
    }
    say(decoder.finish());
    text.milliseconds.decode = watch.milliseconds();
    return text;
}

Grade Grader::judge_text(Text text, Mode mode) {
    const Stopwatch watch;
    const auto stated = find_verdict(options_.parser, mode, text.text);
    // The logits kept are those of the verdict stated if it stands where they were taken, a space
    // aside.
    const bool known =
        !text.verdict_logits.empty() && (!stated || (stated->offset >= text.verdict_begin &&
                                                     stated->offset <= text.verdict_begin + 1));
    if (!known) force_verdict(text, mode);
    VerdictDistribution verdicts = distribution(mode, text.verdict_logits);
    text.milliseconds.decode += watch.milliseconds();
    return {.verdict = stated ? stated->verdict : verdicts.likeliest(),
            .distribution = verdicts,
            .source = stated ? VerdictSource::text : VerdictSource::forced,
            .finish = text.finish,
            .feedback = std::move(text.text),
            .tokens = {.prompt = text.prompt_tokens,
                       .cached = 0,
                       .generated = text.token_begins.size()},
            .milliseconds = text.milliseconds,
            .written = std::move(text.tokens),
            .before_verdict = std::move(text.before_verdict)};
}

// Puts the tail after the text, or in place of a marker that no verdict followed, and reads what
// comes next.
void Grader::force_verdict(Text& text, Mode mode) {
    std::size_t kept = text.token_begins.size();
    if (const std::size_t unfinished = text.text.rfind(marker); unfinished != std::string::npos)
        for (std::size_t end = text.text.size(); kept > 0 && end > unfinished; --kept)
            end = text.token_begins[kept - 1];
    writer_.truncate(static_cast<std::uint32_t>(text.prompt_tokens + kept));
    const std::vector<TokenId>& tail = ending(mode).tail;
    writer_.append(tail);
    text.before_verdict.assign(text.tokens.begin(),
                               text.tokens.begin() + static_cast<std::ptrdiff_t>(kept));
    text.before_verdict.insert(text.before_verdict.end(), tail.begin(), tail.end());
    text.verdict_logits = writer_.choose({}, {}, true).logits;
}

// The softmax over the verdicts, each with the weight of all its spellings.
VerdictDistribution Grader::distribution(Mode mode, std::span<const float> logits) const {
    std::vector<float> verdicts;
    for (const auto& spellings : ending(mode).spellings) {
        double greatest = -std::numeric_limits<double>::infinity(), sum = 0;
        for (TokenId id : spellings) greatest = std::max(greatest, static_cast<double>(logits[id]));
        for (TokenId id : spellings) sum += std::exp(logits[id] - greatest);
        verdicts.push_back(static_cast<float>(greatest + std::log(sum)));
    }
    return verdict_distribution(mode, verdicts);
}

}  // namespace assay
