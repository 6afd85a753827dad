#pragma once
#include <filesystem>

#include "model/checkpoint.h"
#include "model/engine/engine.h"
#include "model/mistral.h"

namespace assay::test {

// A checkpoint on the test device, and an engine for it.
struct LoadedModel {
    LoadedModel(Device& device, const std::filesystem::path& path, const EngineOptions& options)
        : checkpoint(path),
          model(checkpoint.config(), load_weights(device, checkpoint, options.context)),
          engine(device, model, options) {}

    // The logits of every position of a text of its own.
    std::vector<float> logits(std::span<const TokenId> ids) {
        Sequence sequence(engine);
        const Work work{.sequence = &sequence, .tokens = ids, .logits = Work::all};
        return std::move(engine.step({&work, 1})[0].logits);
    }

    Checkpoint checkpoint;
    Mistral model;
    Engine engine;
};

}  // namespace assay::test
