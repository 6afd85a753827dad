#pragma once
#include <optional>
#include <string_view>
#include <vector>

#include "model/merge/config.h"
#include "model/merge/merger.h"
#include "model/merge/source.h"

namespace assay {

class SharedVocabulary;

constexpr std::string_view embedding_name = "model.embed_tokens.weight";

struct PlanOptions {
    bool precise = false;            // work in f32 and round once, at the end
    std::optional<Rescale> rescale;  // of methods that mask, in place of what the file asks for
    Allowances allowed;
};

struct PlannedInput {
    const MergeSource* source = nullptr;
    const SourceTensor* tensor = nullptr;
};

// A tensor of the result.
struct PlannedTensor {
    Recipe recipe;
    Format out{};
    std::vector<std::uint64_t> shape;  // inputs that are larger are cut to it
    std::vector<PlannedInput> inputs;  // as make_merger takes them
    bool is_aligned = false;           // to the shared vocabulary, before it is merged
};

struct MergePlan {
    // Whose configuration and tokenizer the result has: the base, else the first model.
    const MergeSource* model = nullptr;
    std::uint32_t layers = 0;
    std::vector<PlannedTensor> tensors;  // in the order of its files
};

// Finds every tensor and parameter before any is read. `sources` are the models of the
// configuration, each once; with a vocabulary, embeddings and output heads get its size. Throws
// Error naming model and tensor for what is missing, does not fit or has no meaning, unless it is
// allowed.
MergePlan plan_merge(const MergeConfig& config, const std::vector<MergeSource>& sources,
                     const PlanOptions& options, const SharedVocabulary* vocabulary = nullptr);

}  // namespace assay
