#pragma once
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "grader/item.h"
#include "grader/record.h"

namespace assay::cli {

// Where grading shows what it does: begin, any number of feedback, end for every item.
class View {
public:
    View() = default;
    View(const View&) = delete;
    View& operator=(const View&) = delete;
    virtual ~View() = default;

    // `total` items are expected, if that is known.
    virtual void begin(const ItemId& id, std::optional<Mode> mode, std::size_t number,
                       std::optional<std::size_t> total) = 0;
    virtual void feedback(std::string_view piece) = 0;
    // Throws an Error if the record cannot be written.
    virtual void end(const Record& record) = 0;
};

// One JSON line per record, flushed, so that a run that is cut off loses nothing.
std::unique_ptr<View> json_lines_view(std::FILE* output, const std::string& name);

// For a person: feedback as it is written, then verdict and probabilities.
std::unique_ptr<View> person_view(std::FILE* output);

}  // namespace assay::cli
