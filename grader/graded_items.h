#pragma once
#include <map>
#include <string>

#include "grader/datasets/open.h"
#include "grader/item.h"
#include "grader/results.h"

namespace assay {

// The items that were graded, by the ids of their records.
class GradedItems {
public:
    void add(Item item);
    // That of the record: of several with its id the one that it was made of, if that is known,
    // else the first. nullptr: none.
    const Item* of(const Result& result) const;
    bool empty() const { return items_.empty(); }

private:
    std::multimap<std::string, Item> items_;
};

// Those of a file of any dataset; what is no item there is left out. Throws what open_dataset does.
GradedItems read_graded_items(const std::string& path, const DatasetOptions& options);

}  // namespace assay
