#include "grader/cli/merge_sweep.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "grader/cli/commands.h"
#include "grader/cli/merge_run.h"
#include "grader/cli/output_file.h"
#include "model/formats/json.h"
#include "model/formats/mapped_file.h"
#include "model/merge/sweep.h"
#include "runtime/error.h"
#include "runtime/sha256.h"

namespace assay::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using State = nlohmann::json;  // which compares whatever the order of keys

// One merge of a sweep. Beside the model, OUT/NAME or OUT/NAME.gguf, lie OUT/NAME.json, which says
// what was merged and measured, and the records, OUT/NAME.jsonl.
struct Point {
    double value = 0;
    MergeConfig config;
    fs::path model, state_file, records;
    State state = State::object();      // "merge" and "eval", as far as they are done
    std::optional<Merged> merged = {};  // by this run
    std::optional<eval::Evaluation> evaluation = {};
};

class Sweep {
public:
    Sweep(const MergeArguments& arguments, const std::string& text)
        : arguments_(arguments),
          data_{arguments.eval.benchmark.empty() ? nullptr
                                                 : &eval::benchmark_named(arguments.eval.benchmark),
                arguments.eval.data} {
        for (const SweepStep& step : sweep(arguments.sweep, arguments.config, text))
            points_.push_back(opened(step));
        if (data_.benchmark) eval_state_ = eval_state();
    }

    int run() {
        for (Point& point : points_) {
            if (data_.benchmark && is_measured(point)) {
                measure(point, evaluate_records);
            } else {
                merge(point);
                if (data_.benchmark) measure(point, evaluate_judge);
            }
            drop(point);
        }
        print();
        const auto is_whole = [](const Point& point) {
            return !point.evaluation || point.evaluation->is_whole();
        };
        return std::ranges::all_of(points_, is_whole) ? exit_code::done : exit_code::unscored_items;
    }

private:
    // ---- what is there

    Point opened(const SweepStep& step) const {
        const fs::path base = fs::path(arguments_.to) / step.name;
        Point point{.value = step.value,
                    .config = parse_config(arguments_, step.text),
                    .model = base.string() + (arguments_.type.empty() ? "" : ".gguf"),
                    .state_file = base.string() + ".json",
                    .records = base.string() + ".jsonl"};
        if (!fs::exists(point.state_file)) {
            check_target(point.model, arguments_);
            return point;
        }
        const MappedFile file(point.state_file);
        point.state = parse_json_object(file.path().string(), file.text());
        if (point.state["merge"] !=
            merge_state(point, merge_provenance(point.config, merge_options(arguments_))))
            throw Error(point.state_file.string() +
                        ": is of another merge; name another folder, or remove it with what "
                        "belongs to it");
        return point;
    }

    // All that the model depends on.
    State merge_state(const Point& point, const State& provenance) const {
        return {{"provenance", provenance},
                {"configuration", point.config.text},
                {"type", arguments_.type}};
    }

    // All that the records depend on, but for the model.
    State eval_state() const {
        State given = State::object();
        for (const auto& [name, values] : arguments_.eval_given) given[name] = values;
        Sha256 data;
        data.add(MappedFile(data_.path).bytes());
        return {{"seed", arguments_.eval.grading.seed},
                {"options", given},
                {"data_sha256", data.finish()}};
    }

    bool is_measured(const Point& point) const {
        return point.state.value("eval", State()) == eval_state_ && fs::exists(point.records);
    }

    void write_state(const Point& point) const {
        ReportFile(point.state_file.string(), {}).write(json_text(point.state, 2));
    }

    // ---- what is done

    void merge(Point& point) {
        if (point.state.contains("merge") && fs::exists(point.model)) return;
        std::error_code there;
        fs::create_directories(arguments_.to, there);
        point.merged = merge_to(point.config, point.model, arguments_);
        point.state["merge"] = merge_state(point, point.merged->folder.provenance);
        write_state(point);
        if (!arguments_.quiet) std::fputs(to_text(*point.merged, arguments_).c_str(), stderr);
    }

    void measure(Point& point, eval::Evaluation (*evaluate)(EvalOptions, const BenchmarkData&)) {
        EvalOptions options = arguments_.eval;
        options.grading.run.model = point.model;
        options.grading.output = options.records = point.records;
        point.evaluation = evaluate(options, data_);
        point.state["eval"] = eval_state_;
        write_state(point);
    }

    // Removes the models that --keep leaves out.
    void drop(const Point& point) const {
        if (!point.evaluation || arguments_.keep == Keep::all) return;
        const Point* kept = arguments_.keep == Keep::best ? best() : nullptr;
        for (const Point& other : points_)
            if (&other != kept && other.evaluation) fs::remove_all(other.model);
    }

    // By the figure that stands for the benchmark; null if it is not defined for any.
    const Point* best() const {
        const Point* best = nullptr;
        for (const Point& point : points_)
            if (headline(point) && (!best || *headline(point) > *headline(*best))) best = &point;
        return best;
    }

    static std::optional<double> headline(const Point& point) {
        if (!point.evaluation) return std::nullopt;
        const eval::Figure* const figure =
            point.evaluation->find(point.evaluation->benchmark->headline);
        return figure ? figure->metric.value : std::nullopt;
    }

    // ---- what is said

    Json to_json(const Point& point) const {
        Json json{{"name", point.state_file.stem().string()},
                  {"value", point.value},
                  {"model", fs::exists(point.model) ? Json(point.model.string()) : Json()},
                  {"merge", point.merged ? cli::to_json(*point.merged, arguments_) : Json()}};
        if (point.evaluation) {
            json["records"] = point.records.string();
            json["evaluation"] = eval::to_json(*point.evaluation);
        }
        return json;
    }

    void print() const {
        const Point* const winner = best();
        const std::string name = winner ? winner->state_file.stem().string() : "";
        if (arguments_.json) {
            Json json{{"sweep", arguments_.sweep}, {"points", Json::array()}};
            for (const Point& point : points_) json["points"].push_back(to_json(point));
            if (data_.benchmark) json["best"] = winner ? Json(name) : Json();
            std::fputs(json_text(json, -1).c_str(), stdout);
            return;
        }
        if (!data_.benchmark) return;
        std::vector<eval::Evaluation> evaluations;
        for (const Point& point : points_) evaluations.push_back(*point.evaluation);
        std::printf("%s: %zu records\n%s", std::string(data_.benchmark->title).c_str(),
                    evaluations.front().records, side_by_side(evaluations).c_str());
        if (winner)
            std::printf("  best by %s: %s\n", std::string(data_.benchmark->headline).c_str(),
                        name.c_str());
    }

    const MergeArguments& arguments_;
    BenchmarkData data_;
    State eval_state_;
    std::vector<Point> points_;
};

}  // namespace

int run_sweep(const MergeArguments& arguments, const std::string& text) {
    return Sweep(arguments, text).run();
}

}  // namespace assay::cli
