#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace assay {

// What a weight matrix was multiplied with, as llama.cpp's importance files ("imatrix") hold it.
struct InputSums {
    std::uint64_t columns = 0;   // of the matrix
    std::vector<float> squares;  // sums of squared inputs: columns of each matrix, one per expert
    std::vector<float> counts;   // inputs summed up, for each matrix
};

struct ImportanceFile {
    std::map<std::string, InputSums, std::less<>> tensors;  // by GGUF's names
    std::vector<std::string> datasets;
    std::uint32_t chunks = 0, chunk_tokens = 0;
};

// The GGUF kind, or the older one that ends in .dat. Throws Error naming file and tensor.
ImportanceFile read_importance(const std::filesystem::path& path);

// Writes the GGUF kind.
void write_importance(const std::filesystem::path& path, const ImportanceFile& content);

// Mean squared inputs, (matrices, columns); ones for a matrix that met none.
std::vector<float> importance_of(const InputSums& sums);

}  // namespace assay
