#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "bench/kernels/cases.h"

namespace assay::bench {

// What cases can be told apart by.
enum class Property : std::uint8_t { operation, model, part, format, kv, rows, keys };
inline constexpr std::string_view property_names[] = {"operation", "model", "part", "format",
                                                      "kv",        "rows",  "keys"};

// Some of the cases, by words that must all hold:
//   NAME,NAME...         an operation, a model, a part, or a format, or how such a name begins
//   PROPERTY=NAME,...    the same of one property: kv=q8_0 is a cache, format=q8_0 a weight
//   rows=1..8,512        numbers and ranges, of rows or keys
// as in "matmul q4_0 mistral rows=1..8".
class Filter {
public:
    // Throws an Error that names a word no case has.
    explicit Filter(std::string_view text);

    // A property that a case does not have fails if the filter asks for it.
    bool holds(const Case& c) const;
    // The cases that `usual` holds too, where this filter does not say otherwise. There, what a
    // case does not have is no reason to leave it out.
    bool holds(const Case& c, const Filter& usual) const;

private:
    struct Range {
        std::uint32_t first, last;
    };
    struct Wanted {
        std::vector<std::string> names;
        std::vector<Range> ranges;
    };
    void add(std::string_view word);
    static bool fits(const Wanted& wanted, const Case& c, Property property, bool if_absent);

    std::map<Property, Wanted> wanted_;
};

}  // namespace assay::bench
