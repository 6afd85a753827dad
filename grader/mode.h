#pragma once
#include <string_view>

namespace assay {

// How a judge grades: one response on a scale of 1 to 5, or the better of two.
enum class Mode { absolute, relative };

constexpr std::string_view name(Mode mode) {
    return mode == Mode::absolute ? "absolute" : "relative";
}

}  // namespace assay
