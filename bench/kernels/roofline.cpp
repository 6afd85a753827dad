#include "bench/kernels/roofline.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "bench/kernels/text.h"
#include "grader/report/escape.h"

namespace assay::bench {
namespace {

using report::escape_markup;

constexpr double width = 1000, height = 560, left = 74, right = 16, top = 16, bottom = 48;

// One axis: whole decades that hold all values.
struct Axis {
    double from, to;    // powers of ten
    double begin, end;  // where they lie in the picture

    double at(double value) const {
        return begin + (std::log10(value) - from) / (to - from) * (end - begin);
    }
};

Axis axis_over(double least, double most, double begin, double end) {
    const double from = std::floor(std::log10(least)), to = std::ceil(std::log10(most));
    return {from, std::max(to, from + 1), begin, end};
}

bool in_plot(const Result& result) { return result.timed && result.cost.flops > 0; }
double intensity(const Result& result) { return result.cost.flops / result.cost.bytes; }

// "1 G" for 1e9.
std::string power_text(int power) {
    constexpr const char* prefixes[] = {"", " k", " M", " G", " T", " P", " E"};
    if (power < 0) return format_text("%g", std::pow(10, power));
    return std::to_string(power % 3 == 0   ? 1
                          : power % 3 == 1 ? 10
                                           : 100) +
           prefixes[std::min(power / 3, 6)];
}

std::string line(const char* style, double x1, double y1, double x2, double y2) {
    return format_text("<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n",
                       style, x1, y1, x2, y2);
}

std::string label(double x, double y, const char* anchor, const std::string& text,
                  const char* style = "") {
    return format_text("<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", style, x, y,
                       anchor) +
           escape_markup(text) + "</text>\n";
}

std::string grid(const Axis& x, const Axis& y) {
    std::string svg;
    for (double power = x.from; power <= x.to; ++power) {
        const double at = x.at(std::pow(10, power));
        svg += line("grid", at, y.begin, at, y.end);
        svg += label(at, y.begin + 18, "middle", power_text(static_cast<int>(power)));
    }
    for (double power = y.from; power <= y.to; ++power) {
        const double at = y.at(std::pow(10, power));
        svg += line("grid", x.begin, at, x.end, at);
        svg += label(x.begin - 8, at + 4, "end", power_text(static_cast<int>(power)));
    }
    svg += label((x.begin + x.end) / 2, height - 8, "middle", "operations per byte");
    svg += format_text(
        "<text text-anchor=\"middle\" transform=\"translate(16 %.1f) rotate(-90)\">operations a "
        "second</text>\n",
        (y.begin + y.end) / 2);
    return svg;
}

// Bandwidths rise with the operations per byte up to the highest arithmetic.
std::string roof_lines(const Roofs& roofs, const Axis& x, const Axis& y) {
    double highest = 0;
    for (const Roof& roof : roofs.all)
        if (roof.kind == Roof::Kind::arithmetic) highest = std::max(highest, roof.rate);
    std::string svg;
    const double first = std::pow(10, x.from), last = std::pow(10, x.to);
    for (const Roof& roof : roofs.all) {
        if (roof.kind == Roof::Kind::arithmetic) {
            const double from =
                std::clamp(roof.rate / std::max(roofs.rate(copy_roof), 1.0), first, last);
            svg += line("roof", x.at(from), y.at(roof.rate), x.end, y.at(roof.rate));
            svg += label(x.end - 4, y.at(roof.rate) - 5, "end",
                         std::string(roof.name) + " " + rate_text(roof.rate, "OP/s"), "roof-name");
        }
        if (roof.name != copy_roof) continue;
        const double from = std::max(first, std::pow(10, y.from) / roof.rate),
                     to = std::min(last, std::max(highest / roof.rate, from));
        svg += line("roof", x.at(from), y.at(from * roof.rate), x.at(to), y.at(to * roof.rate));
        svg += label(x.at(from) + 18, y.at(from * roof.rate) + 6, "start",
                     std::string(roof.name) + " " + rate_text(roof.rate, "B/s"), "roof-name");
    }
    return svg;
}

std::string point(const Result& result, const Axis& x, const Axis& y) {
    const double rate = result.flops_per_second();
    const std::string text = result.of.name() + "\n" + time_text(result.seconds()) +
                             format_text(", %.1f %% of ", 100 * result.share()) +
                             std::string(result.bound.roof) + "\n" + kernel_text(*result.timed);
    return format_text("<circle class=\"s%zu%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"4.5\"><title>",
                       plot_group(result.of.shape->operation), result.correct() ? "" : " wrong",
                       x.at(intensity(result)), y.at(rate)) +
           escape_markup(text) + "</title></circle>\n";
}

}  // namespace

std::size_t plot_group(Operation operation) {
    return std::min(static_cast<std::size_t>(operation), std::size(plot_groups) - 1);
}

std::string roofline_svg(const Report& report) {
    double least_x = 0.1, most_x = 10, least_y = std::numeric_limits<double>::max(), most_y = 0;
    for (const Result& result : report.results)
        if (in_plot(result)) {
            least_x = std::min(least_x, intensity(result));
            most_x = std::max(most_x, intensity(result));
            least_y = std::min(least_y, result.flops_per_second());
            most_y = std::max(most_y, result.flops_per_second());
        }
    if (!report.roofs || most_y == 0) return "";
    for (const Roof& roof : report.roofs->all)
        if (roof.kind == Roof::Kind::arithmetic) most_y = std::max(most_y, roof.rate);
    const Axis x = axis_over(least_x, most_x, left, width - right),
               y = axis_over(least_y, most_y, height - bottom, top);
    std::string svg = format_text(
        "<svg viewBox=\"0 0 %g %g\" role=\"img\" aria-label=\"Operations a second over operations "
        "per byte\">\n",
        width, height);
    svg += grid(x, y) + roof_lines(*report.roofs, x, y);
    for (const Result& result : report.results)
        if (in_plot(result)) svg += point(result, x, y);
    return svg + "</svg>\n";
}

}  // namespace assay::bench
