#pragma once
#include <cstdio>
#include <initializer_list>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>

namespace assay::cli {

struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
};
using OutputFile = std::unique_ptr<std::FILE, CloseFile>;

// Throws a UsageError if the two are one file.
void forbid_same_file(const std::string& output, const std::string& input);

// Throws a UsageError if a file that is to be written is the input, and an Error if it holds
// something, unless `force`.
void require_free(const std::string& path, const std::string& input, bool force);

// The file that -o names, which must be free. Throws an Error if it cannot be written.
OutputFile open_output(const std::string& path, const std::string& input, bool force);

// A file that is written when all is done: a report on what else was written. It is replaced. One
// that was not there goes again if nothing is written.
class ReportFile {
public:
    // Throws an Error at once if it cannot be written, and a UsageError if it is one of `others`.
    ReportFile(std::string path, std::initializer_list<std::string> others);
    ReportFile(ReportFile&& other) noexcept
        : path_(std::move(other.path_)), is_new_(std::exchange(other.is_new_, false)) {}
    ReportFile& operator=(ReportFile&&) = delete;
    ~ReportFile();

    void write(const std::string& text);  // throws an Error if not all of it can be

private:
    std::string path_;
    bool is_new_;  // and nothing is written yet
};

// None if the path is empty.
std::optional<ReportFile> report_file(const std::string& path,
                                      std::initializer_list<std::string> others);

// A JSON value as text that ends in a line break; bytes that are no UTF-8 become U+FFFD, as in
// records. An indent of -1 makes it one line.
std::string json_text(const nlohmann::ordered_json& json, int indent);

}  // namespace assay::cli
