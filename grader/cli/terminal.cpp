#include "grader/cli/terminal.h"

#include <unistd.h>

#include <cmath>

namespace assay::cli {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds bar_every = 100ms, line_every = 5s;
constexpr int bar_width = 24;

std::string bar_text(double share) {
    const int full = static_cast<int>(std::lround(share * bar_width));
    std::string text = "[";
    for (int i = 0; i < bar_width; ++i) text += i < full ? '#' : '.';
    return text + "] ";
}

}  // namespace

bool is_terminal(std::FILE* stream) { return isatty(fileno(stream)) == 1; }

std::string harmless(std::string_view text) {
    std::string kept;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        const auto next = static_cast<unsigned char>(i + 1 < text.size() ? text[i + 1] : 0);
        if (byte == 0xC2 && next >= 0x80 && next < 0xA0)
            ++i;  // U+0080 to U+009F: some terminals take them for escape sequences
        else if ((byte >= 32 && byte != 127) || byte == '\n' || byte == '\t')
            kept += text[i];
    }
    return kept;
}

Progress::Progress(bool quiet) : quiet_(quiet), bar_(is_terminal(stderr)) {}

void Progress::update(double share, const std::string& text) {
    if (quiet_) return;
    const auto now = Clock::now();
    if (bar_ ? drawn_ && now - last_ < bar_every : now - last_ < line_every) return;
    last_ = now;
    if (bar_) {
        std::fprintf(stderr, "\r\033[K%s%s", share < 0 ? "" : bar_text(share).c_str(),
                     text.c_str());
        drawn_ = true;
    } else {
        std::fprintf(stderr, "%s\n", text.c_str());
    }
    std::fflush(stderr);
}

void Progress::clear() {
    if (!drawn_) return;
    std::fputs("\r\033[K", stderr);
    std::fflush(stderr);
    drawn_ = false;
}

}  // namespace assay::cli
