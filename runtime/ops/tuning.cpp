#include "runtime/ops/tuning.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "runtime/error.h"
#include "runtime/hash.h"
#include "runtime/ops/tiling.h"

namespace assay::ops {
namespace {

using Json = nlohmann::ordered_json;

constexpr int schema = 1;  // changes with the meaning of a name or a number in the file
constexpr const char* rows_names[] = {"all", "grouped"};

// How many of Cut::numbers a path takes.
constexpr std::size_t count_of(MatmulPath path) {
    switch (path) {
        case MatmulPath::direct:
        case MatmulPath::skinny:
            return 2;
        case MatmulPath::coopmat2:
            return 4;
        case MatmulPath::coopmat:
        case MatmulPath::dot:
            return 5;
        default:
            return 0;
    }
}

// Those of a cut, which may be none of those that its path takes.
std::vector<std::uint32_t> numbers_of(const Cut& cut) {
    const std::size_t count = cut == Cut{MatmulPath::dot, {}} ? 0 : count_of(cut.path);
    return {cut.numbers.begin(), cut.numbers.begin() + static_cast<std::ptrdiff_t>(count)};
}

template <class Names>
std::uint8_t index_in(const Names& names, const std::string& name) {
    const auto found = std::find(std::begin(names), std::end(names), name);
    if (found == std::end(names)) throw Error("\"" + name + "\" is unknown");
    return static_cast<std::uint8_t>(found - std::begin(names));
}

Json to_json(const ProductClass& c, const Cut& cut) {
    return {{"of", rows_names[static_cast<std::size_t>(c.of)]},
            {"format", info(c.format).name},
            {"most_rows", row_classes[c.rows]},
            {"wide", c.wide},
            {"int8", c.int8},
            {"path", matmul_path_names[static_cast<std::size_t>(cut.path)]},
            {"numbers", numbers_of(cut)}};
}

Products products_from(const Json& json) {
    const auto format = format_from_name(json.at("format").get<std::string>());
    if (!format) throw Error("\"" + json.at("format").get<std::string>() + "\" is unknown");
    return {static_cast<Rows>(index_in(rows_names, json.at("of").get<std::string>())), *format,
            json.value("int8", false)};
}

std::pair<ProductClass, Cut> choice_from(const Json& json) {
    const Products of = products_from(json);
    const auto most_rows = json.at("most_rows").get<std::uint32_t>();
    const auto rows = std::ranges::find(row_classes, most_rows);
    if (rows == std::end(row_classes))
        throw Error("no class has at most " + std::to_string(most_rows) + " rows");
    const ProductClass c{.of = of.of,
                         .format = of.format,
                         .rows = static_cast<std::uint8_t>(rows - std::begin(row_classes)),
                         .wide = json.at("wide").get<bool>(),
                         .int8 = of.int8};
    Cut cut{.path = static_cast<MatmulPath>(
                index_in(matmul_path_names, json.at("path").get<std::string>()))};
    const auto numbers = json.at("numbers").get<std::vector<std::uint32_t>>();
    if (numbers.size() != count_of(cut.path) && !(cut.path == MatmulPath::dot && numbers.empty()))
        throw Error(std::to_string(numbers.size()) + " numbers for " +
                    std::string(matmul_path_names[static_cast<std::size_t>(cut.path)]) + ", " +
                    std::to_string(count_of(cut.path)) + " expected");
    std::ranges::copy(numbers, cut.numbers.begin());
    return {c, cut};
}

Json to_json(const AttentionClass& c, const AttentionCut& cut) {
    return {{"cache", info(c.cache).name},
            {"head_dim", c.head_dim},
            {"prompt", c.prompt},
            {"path", attention_path_names[static_cast<std::size_t>(cut.path)]},
            {"width", cut.width},
            {"split_keys", cut.split_keys}};
}

std::pair<AttentionClass, AttentionCut> attention_from(const Json& json) {
    const auto number = [&](const char* key) { return json.at(key).get<std::uint32_t>(); };
    const auto cache = cache_from_name(json.at("cache").get<std::string>());
    if (!cache) throw Error("\"" + json.at("cache").get<std::string>() + "\" is unknown");
    return {{*cache, number("head_dim"), json.at("prompt").get<bool>()},
            {static_cast<AttentionPath>(
                 index_in(attention_path_names, json.at("path").get<std::string>())),
             number("width"), number("split_keys")}};
}

// Of everything that is compiled for devices.
std::uint64_t hash_of_kernels() {
    static const std::uint64_t hash = [] {
        std::uint64_t of = fnv1a("");
        for (const Spirv& kernel : all_kernels())
            of = fnv1a(
                {reinterpret_cast<const char*>(kernel.words.data()), kernel.words.size_bytes()},
                of);
        return of;
    }();
    return hash;
}

}  // namespace

std::string text(const Cut& cut) {
    std::string numbers;
    for (const std::uint32_t number : numbers_of(cut))
        numbers += (numbers.empty() ? "" : ",") + std::to_string(number);
    return std::string(matmul_path_names[static_cast<std::size_t>(cut.path)]) +
           (numbers.empty() ? "" : "(" + numbers + ")");
}

ProductClass product_class(Rows of, Format format, std::uint32_t rows, std::uint32_t out_dim,
                           bool int8) {
    const auto at = std::ranges::lower_bound(row_classes, rows);
    return {of, format, static_cast<std::uint8_t>(at - std::begin(row_classes)),
            of == Rows::all && out_dim > most_narrow, int8};
}

std::string text(const ProductClass& c) {
    const std::uint32_t most = row_classes[c.rows],
                        least = c.rows == 0 ? 1 : row_classes[c.rows - 1] + 1;
    return std::string(c.of == Rows::grouped ? "grouped "
                       : c.wide              ? "wide "
                                             : "narrow ") +
           std::string(info(c.format).name) + (c.int8 ? " by int8, " : ", ") +
           (most == ~0u     ? std::to_string(least) + " rows or more"
            : least == most ? std::to_string(most) + (most == 1 ? " row" : " rows")
                            : std::to_string(least) + " to " + std::to_string(most) + " rows");
}

std::filesystem::path tuning_file(const DeviceInfo& device, const std::filesystem::path& folder) {
    std::uint64_t hash = hash_of_kernels();
    for (const std::string& part :
         {device.name, device.driver, device.api_version, std::to_string(device.subgroup_size)})
        hash = fnv1a(part + '\0', hash);
    char name[40];
    std::snprintf(name, sizeof name, "tuning-%016llx.json", static_cast<unsigned long long>(hash));
    return folder / name;
}

Tuning read_tuning(const DeviceInfo& device, const std::filesystem::path& file) {
    std::ifstream in(file);
    if (!in) throw Error(file.string() + ": it cannot be read");
    try {
        const Json json = Json::parse(in);
        if (json.at("schema") != schema)
            throw Error("schema " + json.at("schema").dump() + ", " + std::to_string(schema) +
                        " expected");
        Tuning tuning{.date = json.at("date").get<std::string>(), .choices = {}};
        for (const Json& choice : json.at("choices")) {
            const auto [c, cut] = choice_from(choice);
            const bool has_kernels = (cut.path != MatmulPath::coopmat2 || decoded(c.format)) &&
                                     (!c.int8 || info(c.format).integers);
            if (!has_kernels || c.int8 != (cut.path == MatmulPath::dot) ||
                !fits(device, cut, row_classes[c.rows]))
                throw Error(text(cut) + " does not fit " + device.name);
            tuning.choices.insert_or_assign(c, cut);
        }
        for (const Json& choice : json.value("attention", Json::array())) {  // none in older files
            const auto [c, cut] = attention_from(choice);
            if (!fits(device, cut, c)) throw Error(text(cut) + " does not fit " + device.name);
            tuning.attention.insert_or_assign(c, cut);
        }
        for (const Json& products : json.value("tried", Json::array()))
            tuning.tried.insert(products_from(products));
        return tuning;
    } catch (const std::exception& error) {
        throw Error(file.string() + ": " + error.what());
    }
}

void write_tuning(const Tuning& tuning, const DeviceInfo& device,
                  const std::filesystem::path& file) {
    Json json{{"schema", schema},      {"device", device.name},    {"driver", device.driver},
              {"date", tuning.date},   {"choices", Json::array()}, {"attention", Json::array()},
              {"tried", Json::array()}};
    for (const auto& [c, cut] : tuning.choices) json["choices"].push_back(to_json(c, cut));
    for (const auto& [c, cut] : tuning.attention) json["attention"].push_back(to_json(c, cut));
    for (const auto& [of, format, int8] : tuning.tried)
        json["tried"].push_back({{"of", rows_names[static_cast<std::size_t>(of)]},
                                 {"format", info(format).name},
                                 {"int8", int8}});
    // Written beside its place and renamed, so that no reader meets half a file.
    std::filesystem::path whole = file;
    whole += ".new";
    std::error_code error;
    std::filesystem::create_directories(file.parent_path(), error);
    std::ofstream out(whole);
    out << json.dump(2) << '\n' << std::flush;
    if (out) std::filesystem::rename(whole, file, error);
    if (!out || error) throw Error(file.string() + ": it cannot be written");
}

}  // namespace assay::ops
