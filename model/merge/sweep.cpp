#include "model/merge/sweep.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "model/formats/file_tensor.h"
#include "runtime/error.h"

namespace assay {
namespace {

constexpr double most_steps = 1000;

// Ten digits hide what is lost by 0.3 + 0.1.
std::string number_text(double number) {
    char text[40];
    std::snprintf(text, sizeof text, "%.10g", std::abs(number) < 1e-12 ? 0.0 : number);
    return text;
}

bool is_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

// `name` where no longer name goes on. Returns how often it was there.
int replace(std::string& text, const std::string& name, const std::string& by) {
    int count = 0;
    for (std::size_t at = text.find(name); at != text.npos; at = text.find(name, at)) {
        const std::size_t end = at + name.size();
        if (end < text.size() && is_name(text[end])) {
            at = end;
            continue;
        }
        text.replace(at, name.size(), by);
        at += by.size();
        ++count;
    }
    return count;
}

struct Range {
    std::string name;
    double from = 0, to = 0, step = 0;
};

Range parse(const std::string& range) {
    const std::size_t equals = range.find('=');
    Range parsed{range.substr(0, equals), 0, 0, 0};
    const char* rest = equals == range.npos ? "" : range.c_str() + equals + 1;
    char* end = nullptr;
    bool good = !parsed.name.empty() && std::ranges::all_of(parsed.name, is_name);
    for (double* value : {&parsed.from, &parsed.to, &parsed.step}) {
        *value = std::strtod(rest, &end);
        good = good && end != rest && std::isfinite(*value) &&
               *end == (value == &parsed.step ? '\0' : ':');
        rest = good ? end + 1 : "";
    }
    if (!good || parsed.step <= 0 || parsed.to < parsed.from ||
        (parsed.to - parsed.from) / parsed.step > most_steps)
        throw Error("sweep " + printable(range) + ": NAME=FROM:TO:STEP with at most " +
                    number_text(most_steps) + " steps upwards is needed, as weight=0.3:0.7:0.1");
    return parsed;
}

}  // namespace

std::vector<SweepStep> sweep(const std::string& range, const std::string& where,
                             const std::string& text) {
    const Range parsed = parse(range);
    const auto count =
        static_cast<int>(std::floor((parsed.to - parsed.from) / parsed.step + 1e-9)) + 1;
    std::vector<SweepStep> steps;
    for (int i = 0; i < count; ++i) {
        const double value = parsed.from + i * parsed.step;
        SweepStep step{value, parsed.name + "-" + number_text(value), text};
        const int found = replace(step.text, "1-$" + parsed.name, number_text(1 - value)) +
                          replace(step.text, "$" + parsed.name, number_text(value));
        if (found == 0) throw Error(where + ": has no $" + parsed.name + " to sweep");
        steps.push_back(std::move(step));
    }
    return steps;
}

}  // namespace assay
