#pragma once
#include <cstdio>
#include <memory>
#include <string>

namespace assay::cli {

struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
};
using OutputFile = std::unique_ptr<std::FILE, CloseFile>;

// The file that -o names. Throws a UsageError if it is the input, and an Error if it cannot be
// written or, unless `force`, if it holds something.
OutputFile open_output(const std::string& path, const std::string& input, bool force);

}  // namespace assay::cli
