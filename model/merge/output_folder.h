#pragma once
#include <filesystem>
#include <string>

namespace assay {

// A folder that appears under its name when all of it is written: until finish() it has a temporary
// name beside its own, and a folder that is destroyed before leaves nothing.
class OutputFolder {
public:
    // Throws Error if there is something other than an empty folder already.
    static void check(const std::filesystem::path& path);
    // Throws also if it cannot be made.
    explicit OutputFolder(std::filesystem::path path);
    OutputFolder(const OutputFolder&) = delete;
    OutputFolder& operator=(const OutputFolder&) = delete;
    ~OutputFolder();

    const std::filesystem::path& temporary() const { return temporary_; }
    void write(const std::string& name, const std::string& text) const;  // a file in it
    void copy(const std::filesystem::path& file) const;                  // under the same name
    void finish();

private:
    std::filesystem::path path_, temporary_;
};

}  // namespace assay
