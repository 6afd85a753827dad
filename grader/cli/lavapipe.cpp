#include "grader/cli/lavapipe.h"

#include <sys/auxv.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "runtime/device.h"
#include "runtime/error.h"

namespace assay::cli {
namespace {

bool has_gpu() {
    try {
        return !std::ranges::all_of(list_devices(), &DeviceInfo::is_cpu);
    } catch (const Error&) {
        return false;  // not even a driver
    }
}

// The script tells by its process id, which exec keeps, that it has started this very process and
// not a parent of it.
bool started_by_script() {
    const char* pid = std::getenv("ASSAY_LAVAPIPE_PID");
    return pid && pid == std::to_string(getpid());
}

}  // namespace

void move_to_lavapipe_without_gpu(char** argv) {
    if (started_by_script() || access(ASSAY_LAVAPIPE, X_OK) != 0 || has_gpu()) return;
    // /proc/self/exe may be the loader of another C library; this is always the program.
    // NOLINTNEXTLINE(performance-no-int-to-ptr): the system hands the pointer over as a number
    char* program = reinterpret_cast<char*>(getauxval(AT_EXECFN));
    std::string script = ASSAY_LAVAPIPE;
    std::vector<char*> arguments{script.data(), program};
    for (char** argument = argv + 1; *argument; ++argument) arguments.push_back(*argument);
    arguments.push_back(nullptr);
    execv(script.c_str(), arguments.data());
}

}  // namespace assay::cli
