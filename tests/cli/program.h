#pragma once
#include <sys/types.h>

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

// A run of the program beside the test.
class Running {
public:
    explicit Running(const std::vector<std::string>& arguments);
    ~Running() { kill(); }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

    void write(const std::string& text) const;  // to its standard input
    std::string read_line() const;              // from its standard output; empty after a minute
    void kill();                                // without a chance to clean up, if it still runs

private:
    pid_t process_ = -1;
    int input_ = -1, output_ = -1;
};

// The lines of a text, without their ends.
std::vector<std::string> lines(const std::string& text);

}  // namespace assay::test
