#include "bench/kernels/cost.h"

namespace assay::bench {

Cost product_cost(Format format, std::uint32_t in, std::uint32_t out, Epilogue epilogue,
                  std::uint32_t rows, std::uint32_t x_rows, std::uint32_t weights) {
    const double results =
                     static_cast<double>(rows) * out * (epilogue == Epilogue::swiglu ? 0.5 : 1),
                 times = epilogue == Epilogue::add ? 2 : 1;  // read and written
    const double weight_bytes = static_cast<double>(row_bytes(format, in)) * out * weights;
    return {.bytes = weight_bytes + 4.0 * x_rows * in + 4 * results * times,
            .flops = 2.0 * in * out * rows};
}

Cost attention_cost(const ModelShape& model, Cache kv, std::uint32_t texts, std::uint32_t tokens,
                    std::uint32_t keys) {
    const double key_bytes =
        2.0 * model.kv_heads * static_cast<double>(row_bytes(kv, model.head_dim));
    // Token i of them sees keys - tokens + i + 1 keys.
    const double seen = tokens * (keys - (tokens - 1) / 2.0) * texts;
    return {.bytes = key_bytes * keys * texts + 2 * 4.0 * texts * tokens * model.q_size(),
            .flops = 4.0 * seen * model.q_size()};
}

}  // namespace assay::bench
