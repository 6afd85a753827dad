#pragma once
#include <stdexcept>

namespace assay {

// A failure that ends the work. The text is one line for the user: the thing and the two values
// that differ.
struct Error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

}  // namespace assay
