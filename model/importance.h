#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "model/formats/imatrix.h"
#include "model/mistral.h"

namespace assay {

// Gathers what the weight matrices of a model are multiplied with, step by step: of each column of
// a matrix the sum of its squared inputs. Its memory is on the devices of the steps observed.
class Importance : public ForwardObserver {
public:
    // The shares of a model in the order of their layers, which must outlive this.
    explicit Importance(std::span<const Mistral> shares) : shares_(shares) {}

    void input(Stream&, const Weight& w, const Tensor& x) override;
    void input(Stream&, const WeightStack& w, const Tensor& x, const ops::Routing&) override;

    // Takes over what the steps so far have left on the device; they must be done. For every text:
    // the longer the device sums in f32, the more digits go.
    void collect();

    // What was collected, by GGUF's names. Throws Error if an
    // input was no finite number.
    std::map<std::string, InputSums, std::less<>> by_tensor() const;

    struct Expert {
        std::uint32_t layer, expert;
    };
    // Experts that no token was routed to, in the layers that were observed.
    std::vector<Expert> idle_experts() const;

private:
    // Of a matrix, or the matrices of a layer's experts.
    struct Sums {
        Sums(Device& device, std::uint32_t matrices, std::uint32_t columns);

        Buffer on_device;  // squares (matrices, columns), f32, then counts (matrices), u32
        Tensor device_squares, device_counts;
        std::vector<double> squares;
        std::vector<std::uint64_t> counts;
    };

    Sums& sums_of(Stream& s, const void* of, std::uint32_t matrices, std::uint32_t columns);

    std::span<const Mistral> shares_;
    std::map<const void*, Sums> sums_;  // by the Weight or WeightStack of a layer
};

}  // namespace assay
