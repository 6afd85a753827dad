#include <algorithm>

#include "runtime/ops/tiling.h"

namespace assay::ops {
namespace {

// In dispatches of some rows each.
void run(Stream& s, const Weight& w, const Tensor& x, const Tensor& y, std::uint32_t epilogue,
         MatmulPath path, const Tiling& t) {
    auto scratch = s.scope();
    const Packed packed = pack(s, path, x);
    const double row_flops = 2.0 * w.in_dim * w.out_dim;
    const std::uint32_t most_rows = rows_at_once(s, t, row_flops),
                        most_columns = most_groups * t.columns;
    for (std::uint32_t row = 0; row < x.rows(); row += most_rows)
        for (std::uint32_t column = 0; column < w.out_dim; column += most_columns) {
            const std::uint32_t rows = std::min(most_rows, x.rows() - row),
                                columns = std::min(most_columns, w.out_dim - column);
            const Tensor x_part = x.slice(row, rows), y_part = y.slice(row, rows);
            const Packed packed_part = packed.slice(row, rows);
            s.dispatch(t.kernel,
                       {.weight = w,
                        .codebook = {s.device().codebooks()},
                        .x = x_part,
                        .packed = packed_part.values,
                        .scales = packed_part.scales,
                        .y = y_part,
                        .tiles = {},
                        .order = {},
                        .slots = {},
                        .rows = rows,
                        .out_dim = w.out_dim,
                        .in_dim = w.in_dim,
                        .first_column = column,
                        .epilogue = epilogue,
                        .x_share = 1,
                        .slot_words = 0},
                       {.x = ceil_div(rows, t.rows), .y = ceil_div(columns, t.columns)},
                       {.bytes = static_cast<double>(w.bytes() + x_part.bytes() + y_part.bytes()),
                        .flops = row_flops * rows});
        }
}

void run(Stream& s, const Weight& w, const Tensor& x, const Tensor& y, std::uint32_t epilogue,
         const Cut& cut) {
    run(s, w, x, y, epilogue, cut.path,
        tiling(s.device().info(), cut, w.format, Rows::all, x.rows()));
}

// The kernel is chosen by all rows, so that how they are divided changes no result.
void run(Stream& s, const Weight& w, const Tensor& x, const Tensor& y, std::uint32_t epilogue,
         MatmulPath path) {
    if (x.rows() == 0) return;  // a step of which no logits are wanted
    run(s, w, x, y, epilogue, choose_cut(s, path, Rows::all, w.format, x.rows(), w.out_dim));
}

}  // namespace

Tensor matmul(Stream& s, const Weight& w, const Tensor& x, const Cut& cut) {
    Tensor y = s.scratch(x.rows(), w.out_dim);
    run(s, w, x, y, shader::epilogue_store, cut);
    return y;
}

Tensor matmul(Stream& s, const Weight& w, const Tensor& x, MatmulPath path, const Tiling& t) {
    Tensor y = s.scratch(x.rows(), w.out_dim);
    run(s, w, x, y, shader::epilogue_store, path, t);
    return y;
}

void matmul_add(Stream& s, const Weight& w, const Tensor& x, const Tensor& y, const Cut& cut) {
    run(s, w, x, y, shader::epilogue_add, cut);
}

Tensor matmul(Stream& s, const Weight& w, const Tensor& x, MatmulPath path) {
    Tensor y = s.scratch(x.rows(), w.out_dim);
    run(s, w, x, y, shader::epilogue_store, path);
    return y;
}

void matmul_add(Stream& s, const Weight& w, const Tensor& x, const Tensor& y, MatmulPath path) {
    run(s, w, x, y, shader::epilogue_add, path);
}

Tensor matmul_swiglu(Stream& s, const Weight& w, const Tensor& x, MatmulPath path) {
    Tensor y = s.scratch(x.rows(), w.out_dim / 2);
    run(s, w, x, y, shader::epilogue_swiglu, path);
    return y;
}

}  // namespace assay::ops
