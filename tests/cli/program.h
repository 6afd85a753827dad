#pragma once
#include <string>
#include <vector>

namespace assay::test {

// How a run of the built program ended.
struct Ran {
    int exit_code = -1;
    std::string output, errors;  // standard output and standard error
};

// Runs it with standard input. `environment` holds NAME=value pairs in the shell's syntax, $$ being
// the program's own process id. ASSAY_PROGRAM in the environment says where the program is if it is
// not where it was built. Standard output goes to the file `output` if one is named.
Ran run_assay(const std::vector<std::string>& arguments, const std::string& input = "",
              const std::string& environment = "", const std::string& output = "");

// The lines of a text, without their ends.
std::vector<std::string> lines(const std::string& text);

}  // namespace assay::test
