#pragma once
#include <cstdint>
#include <span>
#include <string_view>

#include "runtime/format.h"

namespace assay {

// What a model can be quantised to: one format for most of its matrices, and more bits for those
// where that pays. Names, numbers and choices are llama.cpp's, so that a file of ours has the
// formats that one of the same name from llama-quantize has.
struct Mix {
    std::string_view name;    // "Q4_K_M"
    std::uint32_t file_type;  // general.file_type
    Format format;            // of most matrices
};

std::span<const Mix> mixes();
const Mix* find_mix(std::string_view name);  // in any case, Q4_K for Q4_K_M ...; nullptr for none

// What the choice of a tensor's format depends on.
struct MixedModel {
    std::uint32_t layers = 0, heads = 0, key_value_heads = 0, experts = 0;
    bool tied_embeddings = false;
    bool has_importance = false;
};

// The format of a tensor with this name of GGUF's: f32 for vectors and the experts' router; another
// one than the mix has where `columns` are no whole blocks of it.
Format choose_format(const Mix& mix, const MixedModel& model, std::string_view tensor,
                     std::uint64_t columns);

// Of a model of Mistral 7B's shape.
double bits_per_weight(const Mix& mix);

}  // namespace assay
