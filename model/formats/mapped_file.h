#pragma once
#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

namespace assay {

// A file mapped into memory, read only. Bytes are valid while it lives; moving keeps their
// addresses.
class MappedFile {
public:
    // Throws Error with the path and the system's reason. An empty file has no bytes.
    explicit MappedFile(std::filesystem::path path);
    MappedFile(MappedFile&& other) noexcept;
    MappedFile& operator=(MappedFile&& other) noexcept;
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;
    ~MappedFile();

    const std::filesystem::path& path() const { return path_; }
    std::span<const std::byte> bytes() const { return bytes_; }
    std::string_view text() const {
        return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
    }

private:
    void unmap() noexcept;

    std::filesystem::path path_;
    std::span<const std::byte> bytes_;
};

// Hints for a part of a mapped file; they change speed and resident memory, never a value.
void will_need(std::span<const std::byte> part);  // start reading it from the disk
void release(std::span<const std::byte> part);    // its pages may leave memory: it was uploaded

}  // namespace assay
