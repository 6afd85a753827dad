#include "grader/cli/output_file.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "grader/cli/commands.h"
#include "model/memory_plan.h"
#include "runtime/error.h"

namespace assay::cli {

void forbid_same_file(const std::string& output, const std::string& input) {
    std::error_code ignored;
    if (std::filesystem::equivalent(input, output, ignored))
        throw UsageError(output + " is both -i and -o");
}

void require_free(const std::string& path, const std::string& input, bool force) {
    forbid_same_file(path, input);
    std::error_code ignored;
    const auto bytes = std::filesystem::file_size(path, ignored);
    if (!ignored && bytes > 0 && !force)
        throw Error(path + " exists (" + bytes_text(bytes) +
                    "): give another -o, or --force to replace it");
}

OutputFile open_output(const std::string& path, const std::string& input, bool force) {
    require_free(path, input, force);
    OutputFile file(std::fopen(path.c_str(), "wb"));
    if (!file) throw Error(path + ": " + std::strerror(errno));
    return file;
}

ReportFile::ReportFile(std::string path, std::initializer_list<std::string> others)
    : path_(std::move(path)), is_new_(!std::filesystem::exists(path_)) {
    if (!std::ofstream(path_, std::ios::app)) throw Error(path_ + ": " + std::strerror(errno));
    std::error_code ignored;
    for (const std::string& other : others)
        if (std::filesystem::equivalent(path_, other, ignored))
            throw UsageError(path_ + " is named twice");
}

ReportFile::~ReportFile() {
    std::error_code ignored;
    if (is_new_) std::filesystem::remove(path_, ignored);
}

void ReportFile::write(const std::string& text) {
    is_new_ = false;
    std::ofstream file(path_, std::ios::binary);
    file << text << std::flush;
    if (!file) throw Error(path_ + ": " + std::strerror(errno));
}

std::optional<ReportFile> report_file(const std::string& path,
                                      std::initializer_list<std::string> others) {
    if (path.empty()) return std::nullopt;
    return ReportFile(path, others);
}

std::string json_text(const nlohmann::ordered_json& json, int indent) {
    return json.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace assay::cli
