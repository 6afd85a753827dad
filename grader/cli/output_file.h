#pragma once
#include <cstdio>
#include <initializer_list>
#include <memory>
#include <string>

namespace assay::cli {

struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
};
using OutputFile = std::unique_ptr<std::FILE, CloseFile>;

// Throws a UsageError if the two are one file.
void forbid_same_file(const std::string& output, const std::string& input);

// The file that -o names. Throws a UsageError if it is the input, and an Error if it cannot be
// written or, unless `force`, if it holds something.
OutputFile open_output(const std::string& path, const std::string& input, bool force);

// A file that is written when all is done: a report on what else was written. It is replaced.
class ReportFile {
public:
    // Throws an Error at once if it cannot be written, and a UsageError if it is one of `others`.
    ReportFile(std::string path, std::initializer_list<std::string> others);

    void write(const std::string& text) const;  // throws an Error if not all of it can be

private:
    std::string path_;
};

}  // namespace assay::cli
