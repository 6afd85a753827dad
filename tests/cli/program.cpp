#include "tests/cli/program.h"

#include <sys/wait.h>

#include <cstdlib>
#include <sstream>

#include "tests/model/test_files.h"

namespace assay::test {
namespace {

std::string quoted(const std::string& word) {
    std::string text = "'";
    for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return text + "'";
}

std::string content(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// Kept for the whole test program, so that kernels are compiled once and not in the user's folder.
const TemporaryFolder& cache_folder() {
    static const TemporaryFolder folder;
    return folder;
}

}  // namespace

Ran run_assay(const std::vector<std::string>& arguments, const std::string& input,
              const std::string& environment, const std::string& output) {
    const TemporaryFolder folder;
    const auto in = folder.write("in", input);
    const auto out = folder.path() / "out", errors = folder.path() / "errors";
    const char* program = std::getenv("ASSAY_PROGRAM");
    std::string command = "XDG_CACHE_HOME=" + quoted(cache_folder().path()) + " " + environment +
                          " exec " + quoted(program ? program : ASSAY_PROGRAM);
    for (const std::string& argument : arguments) command += " " + quoted(argument);
    command += " < " + quoted(in) + " > " + quoted(output.empty() ? out.string() : output) +
               " 2> " + quoted(errors);
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), content(out),
            content(errors)};
}

std::vector<std::string> lines(const std::string& text) {
    std::istringstream stream(text);
    std::vector<std::string> result;
    for (std::string line; std::getline(stream, line);) result.push_back(line);
    return result;
}

}  // namespace assay::test
