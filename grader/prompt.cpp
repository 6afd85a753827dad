#include "grader/prompt.h"

#include <optional>
#include <stdexcept>

#include "grader/prompt_templates.h"

namespace assay {
namespace {

constexpr ModeTexts library_absolute{templates::absolute_system, templates::library::absolute,
                                     templates::library::absolute_with_reference};
constexpr ModeTexts library_relative{templates::relative_system, templates::library::relative,
                                     templates::library::relative_with_reference};
constexpr ModeTexts card_absolute{templates::absolute_system, templates::card::absolute,
                                  templates::card::absolute_with_reference};
constexpr ModeTexts card_relative{templates::relative_system, templates::card::relative,
                                  templates::card::relative_with_reference};
// The papers' pairwise evaluation shows no reference answer.
constexpr ModeTexts paper_relative{templates::relative_system, templates::card::relative,
                                   templates::card::relative};
constexpr ModeTexts p1_absolute{templates::p1_system, templates::card::absolute,
                                templates::card::absolute_with_reference};
constexpr ModeTexts no_texts{};

constexpr SamplingDefaults greedy{};
constexpr SamplingDefaults paper_sampling{
    .temperature = 1.0f, .top_p = 0.9f, .repetition_penalty = 1.03f, .max_new_tokens = 1024};
constexpr SamplingDefaults p1_sampling{.max_new_tokens =
                                           256};  // the limit Prometheus 1 was run with

constexpr std::array<Profile, 4> table{{
    {.name = "hf-card",
     .summary = "the model cards and the training data of Prometheus 2",
     .before_system = "[INST] ",
     .before_user = "\n\n",
     .after_user = " [/INST]",
     .texts = {card_absolute, card_relative},
     .strip_user = true,
     .bos = 1,
     .sampling = greedy},
    {.name = "lib-fastchat",
     .summary = "the prometheus-eval library with a local model",
     .before_system = "[INST] ",
     .before_user = "\n",
     .after_user = " [/INST]",
     .texts = {library_absolute, library_relative},
     .strip_user = false,
     .bos = 1,
     .sampling = greedy},
    // Its chat template writes a BOS and the engine it runs on adds another.
    {.name = "paper-eval",
     .summary = "the evaluation of the Prometheus 2 paper, sampled at temperature 1",
     .before_system = "[INST] ",
     .before_user = "",
     .after_user = " [/INST]",
     .texts = {card_absolute, paper_relative},
     .strip_user = true,
     .bos = 2,
     .sampling = paper_sampling},
    {.name = "p1",
     .summary = "Prometheus 1 (Llama 2), absolute alone",
     .before_system = "[INST] <<SYS>>\n",
     .before_user = "\n<</SYS>>\n\n",
     .after_user = " [/INST]",
     .texts = {p1_absolute, no_texts},
     .strip_user = true,
     .bos = 1,
     .sampling = p1_sampling},
}};

const ModeTexts& texts_of(const Profile& profile, Mode mode) {
    return profile.texts[static_cast<std::size_t>(mode)];
}

std::string_view slot_value(std::string_view slot, const Item& item) {
    if (slot == "instruction") return item.instruction;
    if (slot == "response" || slot == "response_A") return item.response;
    if (slot == "response_B") return item.response_b;
    if (slot == "reference_answer") return *item.reference_answer;
    if (slot == "context") return item.context;
    if (slot == "rubric") return item.rubric.block(item.mode);
    throw std::logic_error("prompt template: no value for {" + std::string(slot) + "}");
}

// Each slot of the template is replaced once; braces inside an item's texts mean nothing.
std::string fill(std::string_view text, const Item& item) {
    std::string filled;
    for (std::size_t open; (open = text.find('{')) != std::string_view::npos;) {
        const std::size_t close = text.find('}', open);
        filled += text.substr(0, open);
        filled += slot_value(text.substr(open + 1, close - open - 1), item);
        text.remove_prefix(close + 1);
    }
    return filled.append(text);
}

// A template that also shows a context. The library publishes two of them, its own absolute and
// relative ones without a reference answer; made of these, they are the same bytes.
std::string with_context(std::string_view user) {
    std::string text(user);
    const auto insert = [&](std::size_t at, std::string_view added) { text.insert(at, added); };
    insert(text.find("###Score Rubric"), templates::context_block);
    insert(text.find(templates::step_1_ending) + templates::step_1_ending.size(),
           templates::context_step);
    insert(text.find(", and a"), templates::context_mention);
    return text;
}

std::vector<std::string> warnings(const Profile& profile, const Item& item) {
    std::vector<std::string> found;
    if (!item.reference_answer)
        found.emplace_back("no_reference");
    else if (!shows_reference(profile, item.mode))
        found.emplace_back("reference_ignored");
    if (item.mode == Mode::absolute && !item.rubric.has_levels())
        found.emplace_back("rubric_without_levels");
    return found;
}

std::string profile_list() {
    std::string list;
    for (const Profile& profile : table) list.append(list.empty() ? "" : ", ").append(profile.name);
    return list;
}

}  // namespace

std::span<const Profile> profiles() { return table; }

const Profile& profile_named(std::string_view name) {
    for (const Profile& profile : table)
        if (profile.name == name) return profile;
    throw std::runtime_error("profile \"" + std::string(name) + "\": there are " + profile_list());
}

std::string missing_format(const Profile& profile, Mode mode) {
    return "profile " + std::string(profile.name) + " has no " + std::string(name(mode)) +
           " format";
}

bool shows_reference(const Profile& profile, Mode mode) {
    const ModeTexts& texts = texts_of(profile, mode);
    return texts.user != texts.user_with_reference;
}

std::string render_user(const Profile& profile, const Item& item) {
    if (!profile.has(item.mode)) throw std::runtime_error(missing_format(profile, item.mode));
    const ModeTexts& texts = texts_of(profile, item.mode);
    std::string_view user = item.reference_answer ? texts.user_with_reference : texts.user;
    if (profile.strip_user) user.remove_suffix(1);  // nothing else in a template is there to strip
    return fill(item.context.empty() ? std::string(user) : with_context(user), item);
}

Prompt render(const Profile& profile, const Item& item) {
    const std::string user = render_user(profile, item);
    const ModeTexts& texts = texts_of(profile, item.mode);
    std::string text;
    text.append(profile.before_system).append(texts.system).append(profile.before_user);
    text.append(user).append(profile.after_user);
    return {std::move(text), profile.bos, warnings(profile, item)};
}

}  // namespace assay
