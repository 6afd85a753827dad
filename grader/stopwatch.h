#pragma once
#include <chrono>
#include <string>

namespace assay {

// Runs from its construction, and anew from restart().
class Stopwatch {
public:
    double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }
    double milliseconds() const { return seconds() * 1000; }
    void restart() { start_ = Clock::now(); }

private:
    using Clock = std::chrono::steady_clock;
    Clock::time_point start_ = Clock::now();
};

std::string duration_text(double seconds);  // "7.31 s", "4 min 10 s", "2 h 5 min"

}  // namespace assay
