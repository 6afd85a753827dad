#include "model/formats/output_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "runtime/error.h"

namespace assay {

OutputFile::OutputFile(std::filesystem::path path, std::filesystem::path named)
    : path_(std::move(path)),
      named_(named.empty() ? path_ : std::move(named)),
      file_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)) {
    if (file_ < 0) fail(errno);
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)),
      named_(std::move(other.named_)),
      file_(std::exchange(other.file_, -1)) {}

OutputFile::~OutputFile() {
    if (file_ >= 0) ::close(file_);
}

void OutputFile::fail(int error) const {
    throw Error(named_.string() + ": cannot be written: " + std::strerror(error));
}

void OutputFile::reserve(std::uint64_t bytes) {
    const auto size = static_cast<off_t>(bytes);
    // Not every file system can reserve; those that cannot fail when they are full.
    if (::fallocate(file_, 0, 0, size) != 0 && errno != EOPNOTSUPP) fail(errno);
    if (::ftruncate(file_, size) != 0) fail(errno);
}

void OutputFile::write(std::uint64_t offset, std::span<const std::byte> bytes) const {
    while (!bytes.empty()) {
        const ssize_t written =
            ::pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) fail(errno);
        bytes = bytes.subspan(static_cast<std::size_t>(written));
        offset += static_cast<std::uint64_t>(written);
    }
}

void OutputFile::finish() {
    if (::fsync(file_) != 0) fail(errno);  // or a power cut leaves a whole file of zeros
    if (::close(std::exchange(file_, -1)) != 0) fail(errno);
}

}  // namespace assay
