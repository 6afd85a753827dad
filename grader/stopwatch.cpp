#include "grader/stopwatch.h"

#include <cmath>
#include <cstdio>

namespace assay {

std::string duration_text(double seconds) {
    char text[40];
    if (seconds < 60) {
        std::snprintf(text, sizeof text, seconds < 10 ? "%.2f s" : "%.1f s", seconds);
    } else {
        const long minutes = std::lround(seconds) / 60;
        if (minutes < 60)
            std::snprintf(text, sizeof text, "%ld min %ld s", minutes, std::lround(seconds) % 60);
        else
            std::snprintf(text, sizeof text, "%ld h %ld min", minutes / 60, minutes % 60);
    }
    return text;
}

}  // namespace assay
