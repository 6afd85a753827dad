#include "tests/cli/program.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
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

Running::Running(const std::vector<std::string>& arguments) {
    int in[2], out[2];
    if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0) throw Error("pipe2 failed");
    const char* found = std::getenv("ASSAY_PROGRAM");
    std::string program = found ? found : ASSAY_PROGRAM;
    std::vector<std::string> words = arguments;
    std::vector<char*> argv{program.data()};
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    const std::string cache = cache_folder().path();
    process_ = ::fork();
    if (process_ == 0) {
        ::setenv("XDG_CACHE_HOME", cache.c_str(), 1);
        ::dup2(in[0], 0);
        ::dup2(out[1], 1);
        ::execv(argv[0], argv.data());
        ::_exit(127);
    }
    ::close(in[0]);
    ::close(out[1]);
    input_ = in[1];
    output_ = out[0];
}

void Running::write(const std::string& text) const {
    if (::write(input_, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
        throw Error("the program does not read");
}

std::string Running::read_line() const {
    constexpr int patience = 60'000;  // milliseconds
    std::string line;
    pollfd output{.fd = output_, .events = POLLIN, .revents = 0};
    for (char c = 0; ::poll(&output, 1, patience) == 1 && ::read(output_, &c, 1) == 1 && c != '\n';)
        line += c;
    return line;
}

void Running::kill() {
    if (process_ < 0) return;
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
    ::close(input_);
    ::close(output_);
    process_ = -1;
}

std::vector<std::string> lines(const std::string& text) {
    std::istringstream stream(text);
    std::vector<std::string> result;
    for (std::string line; std::getline(stream, line);) result.push_back(line);
    return result;
}

}  // namespace assay::test
