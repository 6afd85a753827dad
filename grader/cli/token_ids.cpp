#include "grader/cli/token_ids.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "runtime/error.h"

namespace assay::cli {

std::vector<TokenId> parse_token_ids(const std::string& where, std::string_view json) {
    const auto array = nlohmann::json::parse(json, nullptr, false);
    if (!array.is_array())
        throw Error(where + ": expected a JSON array of token ids, found " +
                    (array.is_discarded() ? "no JSON" : array.type_name()));
    std::vector<TokenId> ids;
    for (const auto& element : array) {
        if (!element.is_number_unsigned() ||
            element.get<std::uint64_t>() > std::numeric_limits<TokenId>::max())
            throw Error(where + ": element " + std::to_string(ids.size()) +
                        ": expected a token id, found " + element.dump().substr(0, 40));
        ids.push_back(element.get<TokenId>());
    }
    return ids;
}

std::string to_json(std::span<const TokenId> ids) {
    return nlohmann::json(std::vector(ids.begin(), ids.end())).dump();
}

}  // namespace assay::cli
