#include "model/merge/output_folder.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <random>
#include <utility>

#include "runtime/error.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

fs::path without_slash(const fs::path& path) {
    return path.filename().empty() ? path.parent_path() : path;
}

}  // namespace

void OutputFolder::check(const fs::path& path) {
    std::error_code absent;
    if (fs::exists(fs::symlink_status(path, absent)) &&
        !(fs::is_directory(path, absent) && fs::is_empty(path, absent)))
        throw Error(path.string() + ": is there already, a merge replaces nothing");
}

OutputFolder::OutputFolder(fs::path path)
    : path_(without_slash(path)),
      temporary_(path_.string() + "." + std::to_string(std::random_device{}()) + ".partial") {
    check(path_);
    std::error_code failed;
    if (!fs::create_directory(temporary_, failed))
        throw Error(path_.string() + ": cannot be made: " + failed.message());
}

OutputFolder::~OutputFolder() {
    std::error_code ignored;
    if (!temporary_.empty()) fs::remove_all(temporary_, ignored);
}

void OutputFolder::write(const std::string& name, const std::string& text) const {
    std::ofstream file(temporary_ / name, std::ios::binary);
    file << text << std::flush;
    if (!file)
        throw Error((path_ / name).string() + ": cannot be written: " + std::strerror(errno));
}

void OutputFolder::copy(const fs::path& file) const {
    std::error_code failed;
    fs::copy_file(file, temporary_ / file.filename(), failed);
    if (failed)
        throw Error((path_ / file.filename()).string() +
                    ": cannot be written: " + failed.message());
}

void OutputFolder::finish() {
    std::error_code failed;
    fs::rename(temporary_, path_, failed);
    if (failed) throw Error(path_.string() + ": cannot be made: " + failed.message());
    temporary_.clear();
}

}  // namespace assay
