#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "grader/journal.h"
#include "runtime/error.h"

namespace assay::cli {

// What the first line of a file of records says of the run that made them.
class RunHeader {
public:
    // Throws an Error if the file does not begin with the settings of a run.
    explicit RunHeader(std::string path)
        : path_(std::move(path)), settings_(journal_settings(path_)) {}

    // Throws an Error that names file and key if the value is of another kind.
    template <class T>
    T value(const char* key, T otherwise) const {
        try {
            return settings_.value(key, std::move(otherwise));
        } catch (const nlohmann::json::exception&) {
            throw Error(path_ + ": line 1: " + key + " is " + settings_.at(key).dump() +
                        ", which no run writes");
        }
    }

private:
    std::string path_;
    Journal::Settings settings_;
};

}  // namespace assay::cli
