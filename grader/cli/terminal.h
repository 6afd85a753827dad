#pragma once
#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>

namespace assay::cli {

bool is_terminal(std::FILE* stream);

// The text without what could steer a terminal: control characters other than line break and tab.
std::string harmless(std::string_view text);

// How far work is, on standard error: a bar that is redrawn on a terminal, else a line every few
// seconds. Gone when it is destroyed.
class Progress {
public:
    explicit Progress(bool quiet);
    ~Progress() { clear(); }
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    // `share` of the work is done; a negative one is unknown. Often called, seldom drawn.
    void update(double share, const std::string& text);
    void clear();  // the bar alone; for a message to take its place

private:
    using Clock = std::chrono::steady_clock;
    bool quiet_, bar_;
    bool drawn_ = false;
    Clock::time_point last_ = Clock::now();
};

}  // namespace assay::cli
