#include "bench/kernels/cases.h"

#include <algorithm>
#include <numeric>

namespace assay::bench {
namespace {

// Numbers of rows an operation is met with.
enum class Rows : std::uint8_t { none, decode, all };

// What an operation's cases differ in, beside their shapes.
struct Axes {
    bool formats, caches;
    Rows rows;
};

Axes axes_of(const Shape& shape) {
    switch (shape.operation) {
        case Operation::matmul:
            // Logits are computed where a token is chosen, and nowhere else.
            return {true, false, shape.part == "head" ? Rows::decode : Rows::all};
        case Operation::experts:
        case Operation::embed:
            return {true, false, Rows::all};
        case Operation::repack:
            return {true, false, Rows::none};
        case Operation::attention:
        case Operation::rope:
            return {false, true, Rows::all};
        case Operation::gather:
        case Operation::sample:
            return {false, false, Rows::decode};
        case Operation::rmsnorm:
        case Operation::swiglu:
        case Operation::route:
        case Operation::combine:
            return {false, false, Rows::all};
    }
    return {};
}

std::vector<Shape> shapes_of(const ModelShape& m) {
    using enum Operation;
    const auto shape = [&](Operation operation, std::string_view part, std::uint32_t in,
                           std::uint32_t out, Epilogue epilogue = Epilogue::store) {
        return Shape{operation, part, in, out, epilogue, &m, {m.name}};
    };
    std::vector<Shape> shapes{shape(matmul, "wqkv", m.hidden, m.q_size() + 2 * m.kv_size()),
                              shape(matmul, "wo", m.q_size(), m.hidden, Epilogue::add)};
    if (m.dense) {
        shapes.push_back(shape(matmul, "w13", m.hidden, 2 * m.intermediate, Epilogue::swiglu));
        shapes.push_back(shape(matmul, "w2", m.intermediate, m.hidden, Epilogue::add));
    }
    if (m.experts != 0) {
        shapes.push_back(shape(matmul, "gate", m.hidden, m.experts));
        shapes.push_back(shape(experts, "up", m.hidden, 2 * m.intermediate, Epilogue::swiglu));
        shapes.push_back(shape(experts, "down", m.intermediate, m.hidden));
        shapes.push_back(shape(route, "", m.experts, m.experts_used));
        shapes.push_back(shape(combine, "", m.hidden, m.hidden));
    }
    for (const Shape& more :
         {shape(matmul, "head", m.hidden, m.vocabulary),
          shape(attention, "", m.q_size(), m.kv_size()), shape(rope, "", m.q_size(), m.kv_size()),
          shape(embed, "", m.vocabulary, m.hidden), shape(rmsnorm, "", m.hidden, m.hidden),
          shape(swiglu, "", m.intermediate, m.intermediate), shape(gather, "", m.hidden, m.hidden),
          shape(sample, "greedy", m.vocabulary, 1), shape(sample, "lead", m.vocabulary, 1),
          shape(sample, "tail", m.vocabulary, 1), shape(sample, "flat", m.vocabulary, 1),
          shape(repack, "", m.intermediate, m.hidden)})
        shapes.push_back(more);
    return shapes;
}

// Shapes that several models share are there once.
const std::vector<Shape>& all_shapes() {
    static const std::vector<Shape> all = [] {
        std::vector<Shape> shapes;
        for (const ModelShape& model : model_shapes)
            for (const Shape& shape : shapes_of(model)) {
                const auto same = std::ranges::find_if(shapes, [&](const Shape& other) {
                    return other.operation == shape.operation && other.part == shape.part &&
                           other.in == shape.in && other.out == shape.out;
                });
                if (same == shapes.end())
                    shapes.push_back(shape);
                else
                    same->models.push_back(model.name);
            }
        return shapes;
    }();
    return all;
}

template <class T>
std::vector<std::optional<T>> values_of(bool has) {
    if (!has) return {std::nullopt};
    std::vector<std::optional<T>> values;
    for (std::uint16_t i = 0; i < axis_size<T>; ++i) values.emplace_back(static_cast<T>(i));
    return values;
}

std::vector<std::uint32_t> rows_of(Rows rows) {
    if (rows == Rows::none) return {0};
    std::vector<std::uint32_t> numbers(most_decoded_rows);
    std::iota(numbers.begin(), numbers.end(), 1u);
    if (rows == Rows::all) numbers.insert(numbers.end(), {512, 2048});
    return numbers;
}

std::vector<std::uint32_t> keys_of(Operation operation, std::uint32_t rows) {
    if (operation != Operation::attention) return {0};
    if (rows > most_decoded_rows) return {rows};
    return {512, 4096};
}

}  // namespace

bool Case::decodes() const { return rows <= most_decoded_rows; }

std::string Case::name() const {
    std::string text(operation_names[static_cast<std::size_t>(shape->operation)]);
    if (!shape->part.empty()) (text += ' ') += shape->part;
    if (format) (text += ' ') += info(*format).name;
    if (kv) (text += " kv=") += info(*kv).name;
    (text += ' ') += shape->model->name;
    if (rows != 0) text += " rows=" + std::to_string(rows);
    if (keys != 0) text += " keys=" + std::to_string(keys);
    return text;
}

const std::vector<Case>& all_cases() {
    static const std::vector<Case> all = [] {
        std::vector<Case> cases;
        for (const Shape& shape : all_shapes()) {
            const Axes axes = axes_of(shape);
            for (const auto format : values_of<Format>(axes.formats))
                for (const auto kv : values_of<Cache>(axes.caches))
                    for (const std::uint32_t rows : rows_of(axes.rows))
                        for (const std::uint32_t keys : keys_of(shape.operation, rows))
                            cases.push_back({&shape, format, kv, rows, keys});
        }
        return cases;
    }();
    return all;
}

}  // namespace assay::bench
