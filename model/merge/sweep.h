#pragma once
#include <string>
#include <vector>

namespace assay {

// One of the merges of a sweep: what its folder is called, and its configuration.
struct SweepStep {
    double value = 0;
    std::string name, text;
};

// `range` is NAME=FROM:TO:STEP. In the text 1-$NAME and $NAME are replaced by each value in turn.
// Throws Error for a range that is none or a name that the text, called `where`, does not have.
std::vector<SweepStep> sweep(const std::string& range, const std::string& where,
                             const std::string& text);

}  // namespace assay
