#pragma once
#include <fstream>
#include <string>

#include "grader/cli/session.h"

namespace assay::cli {

// Where GPU time goes, told at the end of a run: a table on standard error, and a trace in a file
// if one is named.
class GpuProfile {
public:
    // Throws an Error if the file of the trace cannot be written.
    GpuProfile(bool wanted, std::string trace);

    void print(Session& session);

private:
    bool wanted_;
    std::string trace_;
    std::ofstream file_;
};

}  // namespace assay::cli
