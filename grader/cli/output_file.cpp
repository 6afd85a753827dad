#include "grader/cli/output_file.h"

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "grader/cli/commands.h"
#include "model/memory_plan.h"
#include "runtime/error.h"

namespace assay::cli {

OutputFile open_output(const std::string& path, const std::string& input, bool force) {
    std::error_code ignored;
    if (std::filesystem::equivalent(input, path, ignored))
        throw UsageError(path + " is both -i and -o");
    const auto bytes = std::filesystem::file_size(path, ignored);
    if (!ignored && bytes > 0 && !force)
        throw Error(path + " exists (" + bytes_text(bytes) +
                    "): give another -o, or --force to replace it");
    OutputFile file(std::fopen(path.c_str(), "wb"));
    if (!file) throw Error(path + ": " + std::strerror(errno));
    return file;
}

}  // namespace assay::cli
