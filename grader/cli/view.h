#pragma once
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "grader/item.h"
#include "grader/journal.h"
#include "grader/record.h"

namespace assay::cli {

// Where records go.
class View {
public:
    View() = default;
    View(const View&) = delete;
    View& operator=(const View&) = delete;
    virtual ~View() = default;

    virtual bool for_person() const { return false; }
    virtual bool on_screen() const { return false; }  // a progress bar would be in its way

    // Of a run of one item: it begins, and pieces of its feedback follow as they are written.
    virtual void begin(const Item& item);
    virtual void feedback(std::string_view piece);
    // The record of an item, the `number`th that is done of `total`, if that is known. Throws an
    // Error if it cannot be written.
    virtual void show(const Record& record, std::size_t number,
                      std::optional<std::size_t> total) = 0;
};

// One JSON line per record, flushed.
std::unique_ptr<View> json_lines_view(std::FILE* output, const std::string& name);

// For a person: feedback, verdict and probabilities.
std::unique_ptr<View> person_view(std::FILE* output);

// Appends to a journal that outlives the view.
std::unique_ptr<View> journal_view(Journal& journal);

}  // namespace assay::cli
