#pragma once
#include <istream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/tokenizer.h"

namespace assay::cli {

// All that is left of a stream. Throws an Error beginning with `where` if it cannot be read.
std::string read_all(std::istream& stream, const std::string& where);

// A JSON array of token ids. Throws an Error beginning with `where` that names the first element
// which is none.
std::vector<TokenId> parse_token_ids(const std::string& where, std::string_view json);

std::string to_json(std::span<const TokenId> ids);  // "[1,2,3]"

}  // namespace assay::cli
