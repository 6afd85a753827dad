// tokenizer_source as mergekit has it, mergekit/tokenizer/build.py and embed.py.
#include "model/merge/vocabulary.h"

#include <algorithm>
#include <array>

#include "model/formats/json.h"
#include "model/merge/arithmetic.h"

namespace assay {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* tokenizer_file = "tokenizer.json";
constexpr const char* tokenizer_config = "tokenizer_config.json";

Json read_object(const fs::path& path) {
    const MappedFile file(path);
    parse_json_object(path.string(), file.text());  // checks it; the other type keeps the order
    return Json::parse(file.text());
}

// The rows that a source's token ids must be below.
std::uint64_t embedding_rows(const MergeSource& source) {
    const SourceTensor* embedding = source.find(embedding_name);
    if (!embedding || embedding->shape.size() != 2)
        throw Error(source.reference().text() + ": " + std::string(embedding_name) +
                    ": not there, a common vocabulary needs it");
    return embedding->shape[0];
}

bool is_added(const Json& file, const std::string& text) {
    return std::ranges::any_of(file["added_tokens"],
                               [&](const Json& token) { return token["content"] == text; });
}

bool all_have(const std::vector<MergeSource>& sources, const char* name) {
    return std::ranges::all_of(
        sources, [&](const MergeSource& source) { return fs::exists(source.folder() / name); });
}

}  // namespace

bool have_one_tokenizer(const std::vector<MergeSource>& sources) {
    for (const char* name : {tokenizer_file, "tokenizer.model"}) {
        if (!all_have(sources, name)) continue;
        const MappedFile first(sources.front().folder() / name);
        return std::ranges::all_of(sources, [&](const MergeSource& source) {
            return MappedFile(source.folder() / name).text() == first.text();
        });
    }
    for (const MergeSource& source : sources)
        if (!fs::exists(source.folder() / tokenizer_file))
            throw Error(source.reference().text() + ": has no " + tokenizer_file +
                        ", tokenizer_source needs it to compare tokenizers");
    return true;  // of no models
}

SharedVocabulary::SharedVocabulary(const std::vector<MergeSource>& sources,
                                   const MergeSource& chosen, const MergeSource* base,
                                   bool is_union)
    : chosen_(&chosen), base_(base) {
    std::map<const MergeSource*, Tokens> of;
    for (const MergeSource& source : sources) of[&source] = read(source);
    Tokens all = of[&chosen];
    for (const auto& [text, id] : all.ids) size_ = std::max(size_, id + 1);
    if (is_union) {
        for (const MergeSource& source : sources) add_pieces(all, of[&source]);
        for (const MergeSource& source : sources) add_added(all, of[&source]);
    }
    for (const MergeSource& source : sources) {
        auto& rows = rows_[&source];
        rows.resize(size_);
        for (const auto& [text, id] : all.ids)
            if (const auto found = of[&source].ids.find(text); found != of[&source].ids.end())
                rows[id] = found->second;
    }
    if (!added_.empty()) extended_ = std::move(all.file);
}

SharedVocabulary::Tokens SharedVocabulary::read(const MergeSource& source) {
    const fs::path path = source.folder() / tokenizer_file;
    Tokens tokens{read_object(path), {}};
    const auto fail = [&](const std::string& what) { throw Error(path.string() + ": " + what); };
    const std::uint64_t rows = embedding_rows(source);
    const auto add = [&](const std::string& text, const Json& id) {
        if (!id.is_number_unsigned() || id.get<std::uint64_t>() >= rows)
            fail("token " + printable(text) + ": id " + printable(id.dump()) +
                 ", the embedding has " + std::to_string(rows) + " rows");
        tokens.ids[text] = id.get<std::uint32_t>();
    };
    const Json vocabulary = tokens.file.value("/model/vocab"_json_pointer, Json());
    if (!vocabulary.is_object()) fail("model.vocab: no object of tokens and their ids");
    for (const auto& [text, id] : vocabulary.items()) add(text, id);
    Json& added = tokens.file["added_tokens"];
    if (added.is_null()) added = Json::array();
    if (!added.is_array()) fail("added_tokens: no list");
    for (const Json& token : added) {
        if (!token.is_object() || !token.contains("id") ||
            !token.value("content", Json()).is_string())
            fail("added_tokens: one without id and content");
        add(token["content"], token["id"]);
    }
    return tokens;
}

// What a model's own vocabulary has, in the order of its ids, as added tokens: no rule of the
// chosen tokenizer puts them together.
void SharedVocabulary::add_pieces(Tokens& to, const Tokens& from) {
    std::map<std::uint32_t, std::string> in_order;
    for (const auto& [text, id] : from.ids)
        if (!to.ids.contains(text) && !is_added(from.file, text)) in_order[id] = text;
    for (const auto& [id, text] : in_order)
        add(to, {{"id", id},
                 {"content", text},
                 {"single_word", false},
                 {"lstrip", false},
                 {"rstrip", false},
                 {"normalized", true},
                 {"special", false}});
}

void SharedVocabulary::add_added(Tokens& to, const Tokens& from) {
    for (const Json& token : from.file["added_tokens"])
        if (!to.ids.contains(token["content"].get<std::string>())) add(to, token);
}

void SharedVocabulary::add(Tokens& to, Json token) {
    token["id"] = size_;
    to.ids[token["content"]] = size_++;
    to.file["added_tokens"].push_back(token);
    added_.push_back(std::move(token));
}

std::vector<LoadedTensor> SharedVocabulary::align(const PlannedTensor& tensor,
                                                  const std::vector<LoadedTensor>& loaded) const {
    const std::uint64_t columns = tensor.shape[1];
    const Format work = tensor.recipe.work;
    std::vector<float> row(columns), other(columns);
    const auto read = [&](std::size_t model, std::uint32_t token, std::vector<float>& to) {
        Operand{loaded[model].format, loaded[model].data.data()}.read(
            work, *rows_.at(tensor.inputs[model].source)[token] * columns, to);
    };
    const auto has = [&](std::size_t model, std::uint32_t token) {
        return rows_.at(tensor.inputs[model].source)[token].has_value();
    };
    // The models whose rows a model's row is the mean of.
    const auto models_for = [&](std::size_t model, std::uint32_t token) {
        if (has(model, token)) return std::vector{model};
        std::vector<std::size_t> models;
        for (std::size_t i = 0; i < tensor.inputs.size(); ++i) {
            if (!has(i, token)) continue;
            if (tensor.inputs[i].source == base_) return std::vector{i};
            models.push_back(i);
        }
        return models;
    };
    std::vector<LoadedTensor> aligned;
    for (std::size_t model = 0; model < loaded.size(); ++model) {
        const std::uint64_t row_bytes = columns * element_bytes(work);
        LoadedTensor made{work, {}, std::vector<std::byte>(size_ * row_bytes)};
        for (std::uint32_t token = 0; token < size_; ++token) {
            const std::vector<std::size_t> models = models_for(model, token);
            std::ranges::fill(row, 0.0f);
            if (models.size() == 1) read(models.front(), token, row);
            if (models.size() > 1)
                with_rounding(work, [&](auto round) {
                    for (const std::size_t each : models) {
                        read(each, token, other);
                        for (std::size_t i = 0; i < columns; ++i) row[i] = round(row[i] + other[i]);
                    }
                    for (float& x : row) x = round(x / static_cast<float>(models.size()));
                });
            encode(work, row, made.owned.data() + token * row_bytes);
        }
        made.data = made.owned;
        aligned.push_back(std::move(made));
    }
    return aligned;
}

void SharedVocabulary::write(const OutputFolder& folder) const {
    if (added_.empty()) return;
    folder.write(tokenizer_file, extended_.dump(2) + "\n");
    const fs::path path = chosen_->folder() / tokenizer_config;
    if (!fs::exists(path)) return;
    Json config = read_object(path);
    Json& decoder = config["added_tokens_decoder"];
    for (Json token : added_) {
        const std::string id = token["id"].dump();
        token.erase("id");
        decoder[id] = std::move(token);
    }
    folder.write(tokenizer_config, config.dump(2) + "\n");
}

}  // namespace assay
