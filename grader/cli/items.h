#pragma once
#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "grader/datasets/open.h"
#include "grader/item.h"
#include "grader/prompt.h"

namespace assay::cli {

// How items are read and shown to the judge.
struct ItemOptions {
    std::string profile{profiles().front().name};
    std::string rubric;  // a built-in name or a file; empty: none
    std::optional<Mode> mode;
    std::string dataset;                 // its name; empty: as the records show
    std::vector<FieldMapping> mappings;  // over it
    std::string with;                    // a second file
};

CLI::Option* add_input_option(CLI::App& command, std::string& path);
void add_profile_option(CLI::App& command, std::string& profile);
void add_item_options(CLI::App& command, ItemOptions& options);     // --rubric, --format, --profile
void add_dataset_options(CLI::App& command, ItemOptions& options);  // --dataset, --map, --with

void add_coin_option(CLI::App& command, std::uint64_t& seed);  // --seed of open_items

// Throws a UsageError if --profile has no format that --format asks for, and an Error about
// --rubric.
ItemDefaults defaults_of(const ItemOptions& options);

// The items of a file of any dataset, or of standard input if the path is "-". Throws what
// defaults_of and open_dataset do.
std::unique_ptr<DatasetItems> open_items(const std::string& path, const ItemOptions& options,
                                         std::uint64_t seed = 0);

const ItemId& id_of(const std::variant<Item, BadItem>& item);

}  // namespace assay::cli
