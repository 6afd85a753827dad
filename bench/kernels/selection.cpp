#include "bench/kernels/selection.h"

#include <algorithm>

#include "bench/kernels/filter.h"
#include "runtime/error.h"

namespace assay::bench {
namespace {

constexpr const char* everything = "model=mistral-7b,mixtral-8x7b,llama-2-13b";

// Meant to take about a minute, or a few seconds.
constexpr const char* usual_on_gpu =
    "model=mistral-7b,mixtral-8x7b part=wo,w13,w2,head,up,down,greedy,lead "
    "format=f16,q8_0,q6_k,q4_k,q4_0 kv=f16,q8_0 rows=1,8,32,512,2048";
constexpr const char* quick_on_gpu =
    "model=mistral-7b,mixtral-8x7b part=w13,up,greedy format=f16,q4_0 kv=f16 rows=1,512 keys=512";
constexpr const char* usual_on_cpu =
    "model=small part=wo,w13,w2,up,down,greedy format=f16,q8_0,q4_k,q4_0 kv=f16 rows=1,8,512";
constexpr const char* quick_on_cpu =
    "model=tiny part=w13,up,greedy format=q4_0 kv=f16 rows=1,8 keys=512";

const char* usual(bool is_cpu, bool quick) {
    if (is_cpu) return quick ? quick_on_cpu : usual_on_cpu;
    return quick ? quick_on_gpu : usual_on_gpu;
}

}  // namespace

Selection select_cases(const std::vector<std::string>& filters, bool is_cpu, bool all, bool quick) {
    std::vector<Filter> asked;
    for (const std::string& text : filters) asked.emplace_back(text);
    if (asked.empty()) asked.emplace_back("");
    Selection selection;
    selection.usual = all ? everything : usual(is_cpu, quick);
    const Filter usual_filter(selection.usual), every(everything);
    for (const Case& c : all_cases()) {
        if (every.holds(c)) ++selection.of;
        if (std::ranges::any_of(asked, [&](const Filter& f) { return f.holds(c, usual_filter); }))
            selection.cases.push_back(c);
    }
    if (selection.cases.empty()) {
        std::string text;
        for (const std::string& filter : filters)
            text += (text.empty() ? "'" : ", '") + filter + "'";
        throw Error("filter " + text + ": no case fits; what it does not name is '" +
                    selection.usual + "', --all lifts that");
    }
    return selection;
}

}  // namespace assay::bench
