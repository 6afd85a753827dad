// https://github.com/huggingface/peft, tuners/lora at 5d602fd.
#include "model/merge/lora.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "model/formats/json.h"
#include "model/formats/safetensors.h"
#include "model/merge/arithmetic.h"
#include "model/parallel.h"

namespace assay {
namespace {

using Json = nlohmann::json;

constexpr std::string_view prefix = "base_model.model.", a_suffix = ".lora_A.weight",
                           b_suffix = ".lora_B.weight";
constexpr const char *config_file = "adapter_config.json",
                     *weights_file = "adapter_model.safetensors";

// Settings under which PEFT computes something else; an adapter has them absent or as here.
const std::array unsupported{std::pair{"use_dora", Json(false)},
                             std::pair{"use_qalora", Json(false)},
                             std::pair{"lora_bias", Json(false)},
                             std::pair{"fan_in_fan_out", Json(false)},
                             std::pair{"bias", Json("none")},
                             std::pair{"alpha_pattern", Json::object()},
                             std::pair{"modules_to_save", Json()},
                             std::pair{"trainable_token_indices", Json()},
                             std::pair{"layer_replication", Json()},
                             std::pair{"arrow_config", Json()},
                             std::pair{"alora_invocation_tokens", Json()}};

// Pieces of a product that stay in a core's caches: rows of B, columns of A.
constexpr std::uint64_t tile_rows = 4, tile_columns = 256, rows_at_once = 64;

std::vector<float> in_f32(const FileTensor& tensor, Format rounding) {
    std::vector<float> values(tensor.rows() * tensor.columns());
    decode(tensor.format, tensor.data.data(), values);
    with_rounding(rounding, [&](auto round) {
        for (float& value : values) value = round(value);
    });
    return values;
}

// sum(rows, columns) = b(rows, rank) a(rank, columns), of the columns from `column` on.
void multiply(std::span<const float> a, const float* b, std::uint64_t rank,
              std::uint64_t all_columns, std::uint64_t column, std::uint64_t rows,
              std::uint64_t columns, float (&sum)[tile_rows][tile_columns]) {
    for (auto& row : sum) std::fill_n(row, columns, 0.0f);
    for (std::uint64_t k = 0; k < rank; ++k) {
        const float* from = a.data() + k * all_columns + column;
        for (std::uint64_t row = 0; row < rows; ++row) {
            const float factor = b[row * rank + k];
            for (std::uint64_t i = 0; i < columns; ++i) sum[row][i] += factor * from[i];
        }
    }
}

}  // namespace

LoraAdapter::LoraAdapter(const std::filesystem::path& folder, LoraRounding rounding)
    : folder_(folder), rounding_(rounding), file_(folder / weights_file) {
    read_config();
    const std::string where = file_.path().string() + ": ";
    FileTensors found = read_safetensors(file_);
    if (!found.unsupported.empty())
        throw Error(where + printable(found.unsupported.front().name) + ": type " +
                    printable(found.unsupported.front().type) + " is not supported");
    for (FileTensor& tensor : found.tensors) {
        const std::string& name = tensor.name;
        const bool is_a = name.ends_with(a_suffix), is_b = name.ends_with(b_suffix);
        if (!name.starts_with(prefix) || !(is_a || is_b) || tensor.shape.size() != 2 ||
            !is_working_format(tensor.format))
            throw Error(where + printable(name) + ": " + shape_text(tensor.shape) +
                        ", only matrices base_model.model.*.lora_A.weight and lora_B.weight "
                        "are supported");
        const std::string module =
            name.substr(prefix.size(), name.size() - prefix.size() - a_suffix.size());
        Factors& factors = factors_[module + ".weight"];
        (is_a ? factors.a : factors.b) = std::move(tensor);
    }
    for (const auto& [weight, factors] : factors_) {
        const std::uint64_t rank = factors.a.rows();
        if (factors.a.shape.empty() || factors.b.shape.empty())
            throw Error(where + printable(weight) + ": has only one of lora_A and lora_B");
        if (factors.b.columns() != rank || (rank_ != 0 && rank != rank_))
            throw Error(where + printable(weight) + ": lora_A of rank " + std::to_string(rank) +
                        ", lora_B of " + std::to_string(factors.b.columns()) + ", r is " +
                        std::to_string(rank_));
    }
}

void LoraAdapter::read_config() {
    const MappedFile file(folder_ / config_file);
    const std::string where = file.path().string();
    const Json config = parse_json_object(where, file.text());
    if (config.value("peft_type", Json()) != "LORA")
        throw Error(where + ": peft_type: " + printable(config.value("peft_type", Json()).dump()) +
                    ", only \"LORA\" is supported");
    for (const auto& [key, value] : unsupported) {
        const Json given = config.value(key, Json());
        if (!given.is_null() && given != value)
            throw Error(where + ": " + key + ": " + printable(given.dump()) + ", only " +
                        value.dump() + " is supported");
    }
    const Json alpha = config.value("lora_alpha", Json()), rank = config.value("r", Json());
    if (!alpha.is_number() || !rank.is_number_unsigned() || rank == 0)
        throw Error(where + ": r: " + printable(rank.dump()) +
                    ", lora_alpha: " + printable(alpha.dump()) + ", two numbers are needed");
    const Json ranks = config.value("rank_pattern", Json()),
               rank_stabilised = config.value("use_rslora", Json());
    if (!ranks.is_null() && !ranks.is_object())
        throw Error(where + ": rank_pattern: " + printable(ranks.dump()) + ", an object is needed");
    if (!rank_stabilised.is_null() && !rank_stabilised.is_boolean())
        throw Error(where + ": use_rslora: " + printable(rank_stabilised.dump()) +
                    ", true or false is needed");
    alpha_ = alpha.get<double>();
    rank_ = ranks.empty() ? rank.get<std::uint64_t>() : 0;
    rank_stabilised_ = rank_stabilised == true;
}

std::vector<std::string> LoraAdapter::weights() const {
    std::vector<std::string> names;
    for (const auto& [name, factors] : factors_) names.push_back(name);
    return names;
}

std::vector<std::filesystem::path> LoraAdapter::files() const {
    return {folder_ / config_file, file_.path()};
}

void LoraAdapter::fold(const FileTensor& weight, Format format, std::span<std::byte> to,
                       std::uint32_t threads) const {
    const Factors& factors = factors_.find(weight.name)->second;
    const std::uint64_t rows = weight.rows(), columns = weight.columns(), rank = factors.a.rows();
    if (factors.b.rows() != rows || factors.a.columns() != columns)
        throw Error(folder_.string() + ": " + weight.name + ": changes " +
                    std::to_string(factors.b.rows()) + " x " + std::to_string(factors.a.columns()) +
                    ", the model has " + shape_text(weight.shape));
    const Format factor_format = rounding_ == LoraRounding::all ? format : Format::f32,
                 delta_format = rounding_ == LoraRounding::once ? Format::f32 : format;
    const std::vector<float> a = in_f32(factors.a, factor_format),
                             b = in_f32(factors.b, factor_format);
    const double divisor =
        rank_stabilised_ ? std::sqrt(static_cast<double>(rank)) : static_cast<double>(rank);
    const auto scale = static_cast<float>(alpha_ / divisor);

    const auto tile = [&](std::uint64_t row, std::uint64_t tall, std::uint64_t column) {
        float sum[tile_rows][tile_columns], old[tile_columns];
        const std::uint64_t wide = std::min(tile_columns, columns - column);
        multiply(a, b.data() + row * rank, rank, columns, column, tall, wide, sum);
        for (std::uint64_t i = 0; i < tall; ++i) {
            const std::uint64_t at = (row + i) * columns + column;
            decode(weight.format, weight.data.data() + at * element_bytes(weight.format),
                   {old, wide});
            with_rounding(delta_format, [&](auto round) {
                for (std::uint64_t j = 0; j < wide; ++j)
                    sum[i][j] = old[j] + round(sum[i][j] * scale);
            });
            encode(format, {sum[i], wide}, to.data() + at * element_bytes(format));
        }
    };
    parallel_for(threads, (rows + rows_at_once - 1) / rows_at_once, [&](std::uint64_t piece) {
        const std::uint64_t first = piece * rows_at_once,
                            last = std::min(first + rows_at_once, rows);
        for (std::uint64_t column = 0; column < columns; column += tile_columns)
            for (std::uint64_t row = first; row < last; row += tile_rows)
                tile(row, std::min(tile_rows, last - row), column);
    });
}

}  // namespace assay
