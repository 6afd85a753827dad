#include "grader/cli/token_ids.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "runtime/error.h"

namespace assay::cli {

namespace {

std::string describe(const nlohmann::json& element) {
    if (element.is_number()) return element.dump();
    return element.is_null() ? "null" : std::string("a JSON ") + element.type_name();
}

}  // namespace

std::string read_all(std::istream& stream, const std::string& where) {
    if (stream.peek() == std::istream::traits_type::eof() && !stream.bad()) return "";
    std::ostringstream text;
    text << stream.rdbuf();
    if (stream.bad() || text.bad()) throw Error(where + ": cannot be read; it may be a directory");
    return std::move(text).str();
}

std::vector<TokenId> parse_token_ids(const std::string& where, std::string_view json) {
    const auto array = nlohmann::json::parse(json, nullptr, false);
    if (!array.is_array())
        throw Error(where + ": expected a JSON array of token ids, found " +
                    (array.is_discarded() ? "no JSON" : describe(array)));
    std::vector<TokenId> ids;
    for (const auto& element : array) {
        if (!element.is_number_unsigned() ||
            element.get<std::uint64_t>() > std::numeric_limits<TokenId>::max())
            throw Error(where + ": element " + std::to_string(ids.size()) +
                        ": expected a token id, found " + describe(element));
        ids.push_back(element.get<TokenId>());
    }
    return ids;
}

std::string to_json(std::span<const TokenId> ids) {
    return nlohmann::json(std::vector(ids.begin(), ids.end())).dump();
}

}  // namespace assay::cli
