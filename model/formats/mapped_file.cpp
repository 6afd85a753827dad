#include "model/formats/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>
#include <utility>

#include "runtime/error.h"

namespace assay {
namespace {

class FileDescriptor {
public:
    // O_NONBLOCK: opening a named pipe must fail below, not wait for a writer.
    explicit FileDescriptor(const std::filesystem::path& path)
        : value_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
    FileDescriptor(const FileDescriptor&) = delete;
    FileDescriptor& operator=(const FileDescriptor&) = delete;
    ~FileDescriptor() {
        if (value_ >= 0) ::close(value_);
    }
    int value() const { return value_; }

private:
    int value_;
};

[[noreturn]] void fail(const std::filesystem::path& path, int error) {
    throw Error(path.string() + ": " + std::generic_category().message(error));
}

// madvise wants whole pages: `outwards` grows the part to them, otherwise it shrinks.
void advise(std::span<const std::byte> part, int advice, bool outwards) {
    const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    const auto first = reinterpret_cast<std::uintptr_t>(part.data());
    const auto last = first + part.size();
    const auto begin = outwards ? first / page * page : (first + page - 1) / page * page;
    const auto end = outwards ? last : last / page * page;
    // NOLINTNEXTLINE(performance-no-int-to-ptr): rounding an address has no other way
    if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, advice);
}

}  // namespace

MappedFile::MappedFile(std::filesystem::path path) : path_(std::move(path)) {
    const FileDescriptor file(path_);
    if (file.value() < 0) fail(path_, errno);
    struct stat status {};
    if (::fstat(file.value(), &status) != 0) fail(path_, errno);
    if (S_ISDIR(status.st_mode)) fail(path_, EISDIR);
    if (!S_ISREG(status.st_mode)) throw Error(path_.string() + ": not a regular file");
    const auto size = static_cast<std::size_t>(status.st_size);
    if (size == 0) return;
    void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.value(), 0);
    if (address == MAP_FAILED) fail(path_, errno);
    ::madvise(address, size, MADV_SEQUENTIAL);
    bytes_ = {static_cast<const std::byte*>(address), size};
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)), bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
    if (this == &other) return *this;
    unmap();
    path_ = std::move(other.path_);
    bytes_ = std::exchange(other.bytes_, {});
    return *this;
}

MappedFile::~MappedFile() { unmap(); }

void MappedFile::unmap() noexcept {
    if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
    bytes_ = {};
}

void will_need(std::span<const std::byte> part) { advise(part, MADV_WILLNEED, true); }
void release(std::span<const std::byte> part) { advise(part, MADV_DONTNEED, false); }

}  // namespace assay
