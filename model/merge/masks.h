#pragma once
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace assay {

// Random masks: 1 for an element that is kept, 0 for one that is not.
class Masks {
public:
    virtual ~Masks() = default;
    // Called before what is drawn for a tensor.
    virtual void prepare(const std::string& tensor, std::uint64_t elements) = 0;
    // Elements from `begin` on of the tensor that was prepared, each kept with probability `keep`.
    // `model` counts those that differ from the base. May be called from many threads.
    virtual void draw(std::size_t model, double keep, std::uint64_t begin,
                      std::span<float> mask) const = 0;
};

// From a counter: a mask depends on the seed, the tensor's name, the model and the element alone.
class CounterMasks : public Masks {
public:
    explicit CounterMasks(std::uint64_t seed) : seed_(seed) {}
    void prepare(const std::string& tensor, std::uint64_t elements) override;
    void draw(std::size_t model, double keep, std::uint64_t begin,
              std::span<float> mask) const override;

private:
    std::uint64_t seed_, tensor_ = 0;  // a hash of its name
};

// What numpy.random.seed(seed) and then numpy.random.binomial(1, p, n) draw for one tensor after
// another and one model after another, in this order, as the supermario script does.
class NumpyMasks : public Masks {
public:
    struct Draws {
        std::size_t model;
        std::string tensor;
        std::uint64_t elements;
        double keep;
    };
    NumpyMasks(std::uint32_t seed, std::vector<Draws> order);
    void prepare(const std::string& tensor, std::uint64_t elements) override;
    void draw(std::size_t model, double keep, std::uint64_t begin,
              std::span<float> mask) const override;

private:
    // A place in the one stream of numbers. Going forward takes 4 ns a word, going back begins
    // anew.
    struct Stream {
        std::mt19937 generator;
        std::uint64_t drawn = 0;  // elements
    };
    void seek(Stream& stream, std::uint64_t element) const;

    std::uint32_t seed_;
    std::vector<Draws> order_;
    std::vector<Stream> streams_;                   // one for each model
    std::vector<std::vector<std::uint8_t>> masks_;  // of the tensor, one for each model
};

}  // namespace assay
