#pragma once
#include <string>

namespace assay {

// The configuration that a list of models stands for, as the supermario script takes it: one a
// line, the base first. `p` and `lambda` are the script's options. Throws Error beginning with
// `where` and the line.
std::string config_of_list(const std::string& where, const std::string& list, double p,
                           double lambda);

}  // namespace assay
