#pragma once
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "model/merge/output_folder.h"
#include "model/merge/plan.h"

namespace assay {

// One vocabulary for models whose tokenizers differ, as mergekit's tokenizer_source has it: that of
// one model or, for a union, that model's with the tokens of all others behind it. Embeddings and
// output heads are brought to it row by row. A token that a model lacks gets the base's row, else
// the mean of the models that have it, else zeros.
class SharedVocabulary {
public:
    // Reads tokenizer.json of every source, which must outlive this. `base` may be null. Throws
    // Error naming file and token for what is malformed or has no row in the model's embedding.
    SharedVocabulary(const std::vector<MergeSource>& sources, const MergeSource& chosen,
                     const MergeSource* base, bool is_union);

    std::uint32_t size() const { return size_; }

    // The inputs of an embedding or output head as matrices of size() rows in the working format.
    // `loaded` holds the elements of its inputs.
    std::vector<LoadedTensor> align(const PlannedTensor& tensor,
                                    const std::vector<LoadedTensor>& loaded) const;

    // tokenizer.json and tokenizer_config.json, if they are no file of the chosen model.
    void write(const OutputFolder& folder) const;

private:
    struct Tokens {
        nlohmann::ordered_json file;  // tokenizer.json
        std::map<std::string, std::uint32_t> ids;
    };

    static Tokens read(const MergeSource& source);
    void add_pieces(Tokens& to, const Tokens& from);
    void add_added(Tokens& to, const Tokens& from);
    void add(Tokens& to, nlohmann::ordered_json token);

    std::uint32_t size_ = 0;
    const MergeSource *chosen_, *base_;
    // Of each model the row of each token, where it has the token.
    std::map<const MergeSource*, std::vector<std::optional<std::uint32_t>>> rows_;
    nlohmann::ordered_json extended_;            // tokenizer.json of a union
    std::vector<nlohmann::ordered_json> added_;  // its tokens that the chosen model lacks
};

// Whether all models have the same tokenizer, by the files that all of them have. Throws Error
// naming a model whose tokenizer cannot be compared with the first one's.
bool have_one_tokenizer(const std::vector<MergeSource>& sources);

}  // namespace assay
