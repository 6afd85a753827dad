#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

// The few questions about characters that Python's regular expressions ask, answered as Python 3.11
// does.

namespace assay {

// One code point per character; a byte that starts no valid UTF-8 sequence becomes U+FFFD.
std::u32string decode_utf8(std::string_view text);

// How many those are, as a terminal shows a column for each.
std::size_t code_points(std::string_view text);

// The bytes decode_utf8 read for the first `count` code points of `text`.
std::size_t utf8_prefix_bytes(std::string_view text, std::size_t count);

// Where the first byte is that starts no valid UTF-8 sequence; nullopt if all of the text is valid.
std::optional<std::size_t> find_invalid_utf8(std::string_view text);

// str.isspace(), which is also \s.
bool is_space(char32_t c);

// What \d matches, as a number: every script's decimal digits (Unicode 14, general category Nd).
std::optional<int> digit_value(char32_t c);

// Lower case as re.IGNORECASE compares it, for patterns of ASCII letters without i and k.
char32_t fold_case(char32_t c);

}  // namespace assay
