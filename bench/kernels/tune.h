#pragma once
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <variant>
#include <vector>

#include "bench/kernels/cases.h"
#include "bench/kernels/measure.h"
#include "runtime/ops/tuning.h"

// Finds the best cut of matrix products and of attention on a device: for each class a case is
// measured with the usual cut and with those that may be better, in turn.
namespace assay::bench {

struct TuneOptions {
    std::vector<Format> formats;  // of products, the most important first
    std::vector<Shape> shapes;    // of products and of attention; of each class the first counts
    std::vector<Cache> caches{Cache::f16, Cache::q8_0};  // of attention
    std::uint32_t most_rows = ~0u;                       // of the classes that are measured
    std::uint32_t samples = 11;                          // of each cut
    double most_seconds = 60;  // once they are over no further class is begun
    bool int8 = false;         // products with x in bytes where the weight is of whole numbers
};

// Some of all shapes that a model, which outlives them, has: its attention, a narrow product, a
// wide one, and that of its experts if it has any.
std::vector<Shape> shapes_to_tune(const ModelShape& model);

using ClassOfWork = std::variant<ops::ProductClass, ops::AttentionClass>;
using CutOfWork = std::variant<ops::Cut, ops::AttentionCut>;  // of the same alternative

template <class... Types>
std::string text(const std::variant<Types...>& either) {
    return std::visit([](const auto& one) { return ops::text(one); }, either);
}

// A cut that was tried.
struct Trial {
    CutOfWork cut;
    Timing time{};      // from the beginning of the first dispatch to the end of the last
    std::string fault;  // why it is out of the question; empty if it is not
};

struct TunedClass {
    ClassOfWork of;
    std::string_view format;  // of the weight or the KV cache
    // Of the case. Of experts the rows that one gets; of attention keys of a text and elements of a
    // row.
    std::uint32_t rows = 0, in = 0, out = 0;
    std::vector<Trial> trials;  // the first is the usual cut
    std::size_t best = 0;       // 0 unless another is faster beyond noise, and right

    double gain() const { return trials[0].time.median / trials[best].time.median; }
    bool correct() const { return trials[0].fault.empty(); }
};

struct TuneReport {
    std::vector<TunedClass> classes;
    std::vector<std::string> left_out;  // with the reason: for lack of time or memory
};

struct TuneListener {
    std::function<void(const std::string& what, double share)> on_class;  // is measured next
    std::function<void(const TunedClass&)> on_result;
};

// The device's own tuning is as before in the end. Throws an Error if it has no timestamps.
TuneReport tune(Device& device, const TuneOptions& options, const TuneListener& listener);

// Of the options those whose products have not all been tried: no formats if there are none.
TuneOptions untried(TuneOptions options, const ops::Tuning& tuning);

// Puts what was found with these options in the place of what was known of the same classes.
void adopt(const TuneReport& report, const TuneOptions& options, const std::string& date,
           ops::Tuning& tuning);

constexpr int tune_schema_version = 1;  // of the JSON, see docs/bench.md
nlohmann::ordered_json to_json(const TuneReport& report);
std::string table_heading();
std::string table_row(const TunedClass& tuned);

}  // namespace assay::bench
