#include "bench/kernels/filter.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>

#include "runtime/error.h"

namespace assay::bench {
namespace {

bool is_number(Property property) { return property >= Property::rows; }

// The names a case has of a property, and the number of one that is a number. Nothing if it has
// none.
std::vector<std::string_view> names_of(const Case& c, Property property) {
    switch (property) {
        case Property::operation:
            return {operation_names[static_cast<std::size_t>(c.shape->operation)]};
        case Property::model:
            return c.shape->models;
        case Property::part:
            if (!c.shape->part.empty()) return {c.shape->part};
            return {};
        case Property::format:
            if (c.format) return {info(*c.format).name};
            return {};
        case Property::kv:
            if (c.kv) return {info(*c.kv).name};
            return {};
        case Property::rows:
        case Property::keys:
            break;
    }
    return {};
}

std::uint32_t number_of(const Case& c, Property property) {
    return property == Property::rows ? c.rows : c.keys;
}

const std::set<std::string_view>& known_names(Property property) {
    static const auto all = [] {
        std::map<Property, std::set<std::string_view>> names;
        for (std::size_t p = 0; p < std::size(property_names); ++p)
            for (const Case& c : all_cases())
                for (const std::string_view name : names_of(c, Property(p)))
                    names[Property(p)].insert(name);
        return names;
    }();
    return all.at(property);
}

[[noreturn]] void refuse(std::string_view word, const std::string& why) {
    throw Error("filter '" + std::string(word) + "': " + why);
}

std::vector<std::string_view> split(std::string_view text, char at) {
    std::vector<std::string_view> parts;
    for (std::size_t end; (end = text.find(at)) != text.npos; text.remove_prefix(end + 1))
        parts.push_back(text.substr(0, end));
    parts.push_back(text);
    return parts;
}

// The names of a property that begin so; a whole name stands for itself alone.
std::vector<std::string> expand(std::string_view beginning, Property property) {
    const auto& known = known_names(property);
    if (known.contains(beginning)) return {std::string(beginning)};
    std::vector<std::string> names;
    for (const std::string_view name : known)
        if (!beginning.empty() && name.starts_with(beginning)) names.emplace_back(name);
    return names;
}

// Whose names a word without "=" speaks of: of those that know it, those that know it whole.
std::optional<Property> property_of(std::string_view name) {
    std::optional<Property> found;
    for (const Property p :
         {Property::operation, Property::model, Property::part, Property::format, Property::kv}) {
        if (known_names(p).contains(name)) return p;
        if (!found && !expand(name, p).empty()) found = p;
    }
    return found;
}

std::optional<std::uint32_t> parse_number(std::string_view text) {
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return number;
}

}  // namespace

Filter::Filter(std::string_view text) {
    for (const std::string_view word : split(text, ' '))
        if (!word.empty()) add(word);
}

void Filter::add(std::string_view word) {
    const std::size_t equals = word.find('=');
    const std::string_view values = equals == word.npos ? word : word.substr(equals + 1);
    Property property{};
    if (equals == word.npos) {
        const auto found = property_of(split(values, ',').front());
        if (!found) refuse(word, "no operation, model, part or format begins so");
        property = *found;
    } else {
        const auto* name = std::ranges::find(property_names, word.substr(0, equals));
        if (name == std::end(property_names))
            refuse(word, "operation=, model=, part=, format=, kv=, rows= or keys= expected");
        property = Property(name - property_names);
    }
    Wanted& wanted = wanted_[property];
    for (const std::string_view value : split(values, ',')) {
        if (!is_number(property)) {
            const auto names = expand(value, property);
            if (names.empty())
                refuse(word, "no " + std::string(property_names[std::size_t(property)]) +
                                 " begins with '" + std::string(value) + "'");
            wanted.names.insert(wanted.names.end(), names.begin(), names.end());
            continue;
        }
        const std::size_t dots = value.find("..");
        const auto first = parse_number(value.substr(0, dots)),
                   last = dots == value.npos ? first : parse_number(value.substr(dots + 2));
        if (!first || !last || *first > *last)
            refuse(word,
                   "'" + std::string(value) + "' given, a number or a range like 1..8 expected");
        wanted.ranges.push_back({*first, *last});
    }
}

bool Filter::fits(const Wanted& wanted, const Case& c, Property property, bool if_absent) {
    if (is_number(property)) {
        const std::uint32_t number = number_of(c, property);
        if (number == 0) return if_absent;
        return std::ranges::any_of(wanted.ranges, [&](const Range& range) {
            return range.first <= number && number <= range.last;
        });
    }
    const auto names = names_of(c, property);
    if (names.empty()) return if_absent;
    return std::ranges::any_of(
        names, [&](std::string_view name) { return std::ranges::count(wanted.names, name) != 0; });
}

bool Filter::holds(const Case& c) const {
    return std::ranges::all_of(
        wanted_, [&](const auto& entry) { return fits(entry.second, c, entry.first, false); });
}

bool Filter::holds(const Case& c, const Filter& usual) const {
    return holds(c) && std::ranges::all_of(usual.wanted_, [&](const auto& entry) {
               return wanted_.contains(entry.first) || fits(entry.second, c, entry.first, true);
           });
}

}  // namespace assay::bench
