#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

namespace assay {

// A new file of known size, written in any order by any number of threads. Everything throws an
// Error with a path and the system's reason when it cannot be written.
class OutputFile {
public:
    // There must be no such file yet. `named`: as errors name it; empty: by its path.
    explicit OutputFile(std::filesystem::path path, std::filesystem::path named = {});
    OutputFile(OutputFile&& other) noexcept;
    OutputFile& operator=(OutputFile&&) = delete;
    ~OutputFile();

    const std::filesystem::path& path() const { return path_; }
    // Makes it so many bytes long, and has them on the disk, so that a full one is known at once.
    void reserve(std::uint64_t bytes);
    void write(std::uint64_t offset, std::span<const std::byte> bytes) const;
    // Closes it; all of it is on the disk afterwards.
    void finish();

private:
    [[noreturn]] void fail(int error) const;

    std::filesystem::path path_, named_;
    int file_ = -1;  // once it is closed
};

}  // namespace assay
