#pragma once
#include <string>
#include <vector>

#include "bench/kernels/cases.h"

namespace assay::bench {

// Which of all cases to run.
struct Selection {
    std::vector<Case> cases;
    std::size_t of = 0;  // so many, those of models for other purposes left out
    std::string usual;   // the filter for what was not asked about
};

// Those that one of the filters asks for; without any, what is usual for the device. all: of what
// the filters leave open everything. Throws an Error if none is left.
Selection select_cases(const std::vector<std::string>& filters, bool is_cpu, bool all, bool quick);

}  // namespace assay::bench
