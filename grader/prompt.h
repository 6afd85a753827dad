#pragma once
#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "grader/item.h"
#include "grader/mode.h"

namespace assay {

// How a profile's answers are drawn unless the user says otherwise.
struct SamplingDefaults {
    float temperature = 0;  // 0: always the likeliest token
    float top_p = 1;
    float repetition_penalty = 1;
    unsigned max_new_tokens = 1024;
};

// The texts of one mode; a profile without the mode has none.
struct ModeTexts {
    std::string_view system;
    std::string_view user;
    std::string_view
        user_with_reference;  // equals `user` where the profile has no place for a reference
};

// One of the byte strings that are called "the Prometheus prompt".
struct Profile {
    std::string_view name;
    std::string_view summary;  // who sends it, one line
    std::string_view before_system;
    std::string_view before_user;  // between the system text and the user text
    std::string_view after_user;
    std::array<ModeTexts, 2> texts;  // by Mode
    bool strip_user;                 // without the space that ends the user templates
    unsigned bos;                    // beginning-of-sequence tokens before the text
    SamplingDefaults sampling;

    bool has(Mode mode) const { return !texts[static_cast<std::size_t>(mode)].user.empty(); }
};

// All profiles, the default first. Valid for the life of the program.
std::span<const Profile> profiles();

// Throws a runtime_error that lists the profiles when there is none of that name.
const Profile& profile_named(std::string_view name);

struct Prompt {
    std::string text;                   // without BOS, which is a token and not text
    unsigned bos;                       // how many BOS tokens precede the text
    std::vector<std::string> warnings;  // no_reference, reference_ignored, rubric_without_levels
};

// "profile p1 has no relative format"
std::string missing_format(const Profile& profile, Mode mode);

// Whether prompts of a mode have a place for a reference answer.
bool shows_reference(const Profile& profile, Mode mode);

// Throws a runtime_error when the profile does not have the item's mode.
Prompt render(const Profile& profile, const Item& item);
// The part of it that is the user's: without the system text and what stands around both. Throws
// the same.
std::string render_user(const Profile& profile, const Item& item);

}  // namespace assay
