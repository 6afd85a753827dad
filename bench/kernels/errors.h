#pragma once
#include <cstdint>
#include <span>

namespace assay::bench {

// How far the outputs of an operation that were compared are from exact arithmetic on the same
// operands, in double precision.
struct Errors {
    std::uint64_t compared = 0;
    std::uint64_t wrong = 0;       // of these: farther off than the arithmetic explains
    std::uint64_t not_finite = 0;  // of all outputs, compared or not: NaN or infinity
    double max_abs = 0;
    double nmse = 0;        // sum of squared errors over that of squared exact values
    double of_allowed = 0;  // the largest error, as a share of what the arithmetic explains

    bool correct() const { return compared > 0 && wrong == 0 && not_finite == 0; }
};

class ErrorMeter {
public:
    // An output, its exact value, and what it may be off by.
    void add(double actual, double exact, double allowed);
    // An output that is right or wrong and nothing in between.
    void add(bool right);
    void count_not_finite(std::span<const float> outputs);
    Errors errors() const;

private:
    Errors errors_;
    double squared_errors_ = 0, squared_values_ = 0;
};

}  // namespace assay::bench
