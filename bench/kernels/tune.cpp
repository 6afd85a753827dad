#include "bench/kernels/tune.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>

#include "bench/kernels/compare.h"
#include "bench/kernels/work.h"
#include "runtime/error.h"
#include "runtime/ops/tiling.h"

namespace assay::bench {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

// Rows of the case that stands for a class.
std::uint32_t rows_of(std::size_t row_class) {
    constexpr std::uint32_t most = 512;
    return std::min(ops::row_classes[row_class], most);
}

// Gives a device its own tuning back.
class Restored {
public:
    explicit Restored(Device& device) : device_(device), tuning_(ops::tuning(device)) {}
    ~Restored() { ops::set_tuning(device_, tuning_); }
    Restored(const Restored&) = delete;
    Restored& operator=(const Restored&) = delete;

private:
    Device& device_;
    ops::Tuning tuning_;
};

// A case that stands for a class.
struct Job {
    Case measured;
    ClassOfWork of;
    std::uint32_t rows;  // see TunedClass
};

template <class Class, class Cut>
void put(std::map<Class, Cut>& known, const Class& of, const TunedClass& tuned, std::size_t trial) {
    known.erase(of);
    if (trial > 0) known[of] = std::get<Cut>(tuned.trials[trial].cut);
}

// Has a trial's cut decide its class; none if it is the usual.
void put(ops::Tuning& tuning, const TunedClass& tuned, std::size_t trial) {
    if (const auto* product = std::get_if<ops::ProductClass>(&tuned.of))
        put(tuning.choices, *product, tuned, trial);
    else
        put(tuning.attention, std::get<ops::AttentionClass>(tuned.of), tuned, trial);
}

// On which the products of a class are measured.
ops::MatmulPath path_of(const ClassOfWork& of) {
    const auto* product = std::get_if<ops::ProductClass>(&of);
    return product && product->int8 ? ops::MatmulPath::dot : ops::MatmulPath::automatic;
}

class Tuner {
public:
    Tuner(Device& device, const TuneOptions& options)
        : device_(device), options_(options), between_(device, swept_bytes(device, true)) {}

    TunedClass tune(const Job& job) {
        ops::set_tuning(device_, {});
        std::unique_ptr<Work> work;  // goes after the stream, which waits for what uses it
        Stream s(device_, {.profile = true});
        const Case& c = job.measured;
        work = make_work(s, c, {.matmul = path_of(job.of)}, kept_);
        TunedClass tuned{.of = job.of,
                         .format = c.format ? info(*c.format).name : info(*c.kv).name,
                         .rows = job.rows,
                         .in = c.keys > 0 ? c.keys : c.shape->in,
                         .out = c.keys > 0 ? c.shape->in : c.shape->out,
                         .trials = {}};
        const std::vector<CutOfWork> cuts =
            std::visit([&](const auto& of) { return cuts_of(s, job, of); }, job.of);
        tuned.trials.push_back({.cut = cuts.front(), .fault = {}});
        if (!work->check(s, Data::random).correct()) {
            tuned.trials[0].fault = "its answers are wrong";
            return tuned;
        }
        for (std::size_t i = 1; i < cuts.size(); ++i)
            tuned.trials.push_back({.cut = cuts[i], .fault = {}});
        measure(s, *work, tuned);
        tuned.best = choose(s, *work, tuned);
        return tuned;
    }

private:
    Constants constants_of(const ops::Cut& cut, const ops::ProductClass& of,
                           std::uint32_t rows) const {
        return ops::tiling(device_.info(), cut, of.format, of.of, rows).kernel.constants;
    }

    // The usual cut, then others.
    std::vector<CutOfWork> cuts_of(Stream& s, const Job& job, const ops::ProductClass& of) const {
        const ops::Cut usual =
            ops::choose_cut(s, path_of(of), of.of, of.format, job.rows, job.measured.shape->out);
        std::vector<CutOfWork> cuts{usual};
        for (const ops::Cut& cut : ops::cuts_to_try(device_.info(), of.format, job.rows, of.int8))
            if (cut.path != usual.path ||
                constants_of(cut, of, job.rows) != constants_of(usual, of, job.rows))
                cuts.emplace_back(cut);
        return cuts;
    }

    std::vector<CutOfWork> cuts_of(Stream& s, const Job&, const ops::AttentionClass& of) const {
        const ops::AttentionCut usual = ops::choose_cut(s, ops::AttentionPath::automatic, of);
        std::vector<CutOfWork> cuts{usual};
        for (const ops::AttentionCut& cut : ops::cuts_to_try(device_.info(), of))
            if (cut != usual) cuts.emplace_back(cut);
        return cuts;
    }

    void use(const TunedClass& tuned, std::size_t trial) {
        ops::Tuning tuning;
        put(tuning, tuned, trial);
        ops::set_tuning(device_, std::move(tuning));
    }

    double sample(Stream& s, Work& work, const TunedClass& tuned, std::size_t trial) {
        use(tuned, trial);
        work.begin(s);
        return sample_spans(s, 1, between_, [&] { work.run(s); }).front();
    }

    // In turn, so that a device that grows slower or faster favours none. What is far behind after
    // two rounds, the first of which compiles, is not measured again.
    void measure(Stream& s, Work& work, TunedClass& tuned) {
        constexpr double far_behind = 1.3, most_seconds = 0.5;
        constexpr std::uint32_t least_rounds = 3;
        std::vector<std::vector<double>> seconds(tuned.trials.size());
        std::vector<bool> out(tuned.trials.size());
        const auto each = [&](const auto& visit) {
            for (std::size_t i = 0; i < tuned.trials.size(); ++i)
                if (!out[i]) try {
                        visit(i);
                    } catch (const Error& error) {
                        s.abandon();
                        tuned.trials[i].fault = error.what();
                        out[i] = true;
                    }
        };
        each([&](std::size_t i) { sample(s, work, tuned, i); });
        each([&](std::size_t i) { seconds[i].push_back(sample(s, work, tuned, i)); });
        double least = seconds[0].empty() ? 0 : seconds[0][0];
        for (const auto& of : seconds)
            if (!of.empty()) least = std::min(least, of[0]);
        for (std::size_t i = 1; i < out.size(); ++i)
            if (!seconds[i].empty() && seconds[i][0] > far_behind * least) out[i] = true;
        const auto start = Clock::now();
        for (std::uint32_t round = 1; round < options_.samples; ++round) {
            if (round >= least_rounds && seconds_since(start) > most_seconds) break;
            each([&](std::size_t i) { seconds[i].push_back(sample(s, work, tuned, i)); });
        }
        for (std::size_t i = 0; i < seconds.size(); ++i)
            if (!seconds[i].empty()) tuned.trials[i].time = timing_of(seconds[i]);
    }

    // The fastest that is faster than the usual cut beyond noise and whose answers are right.
    std::size_t choose(Stream& s, Work& work, TunedClass& tuned) {
        if (!tuned.correct()) return 0;
        std::vector<std::size_t> order;
        for (std::size_t i = 1; i < tuned.trials.size(); ++i)
            if (const Trial& trial = tuned.trials[i];
                trial.fault.empty() && trial.time.samples >= least_samples &&
                compare(tuned.trials[0].time, trial.time).change == Change::faster)
                order.push_back(i);
        std::ranges::sort(order, {}, [&](std::size_t i) { return tuned.trials[i].time.median; });
        for (const std::size_t i : order) {
            use(tuned, i);
            if (work.check(s, Data::random).correct()) return i;
            tuned.trials[i].fault = "its answers are wrong";
        }
        return 0;
    }

    Device& device_;
    const TuneOptions& options_;
    Separator between_;
    Kept kept_;
};

ops::Products products_of(const Shape& shape, Format format, bool int8) {
    return {shape.operation == Operation::experts ? Rows::grouped : Rows::all, format,
            int8 && info(format).integers.has_value()};
}

// Of a shape with rows for a class; where there are experts, with tokens that bring each so many.
Job product_job(const Shape& shape, Format format, std::size_t row_class, bool int8) {
    const std::uint32_t rows = rows_of(row_class);
    std::uint32_t tokens = rows;
    if (shape.operation == Operation::experts)
        while (ops::expert_rows(tokens, shape.model->experts_used, shape.model->experts) < rows)
            ++tokens;
    const ops::Products of = products_of(shape, format, int8);
    return {{&shape, format, std::nullopt, tokens, 0},
            ops::product_class(of.of, format, rows, shape.out, of.int8),
            rows};
}

// One token of each of several texts, or a prompt's end.
Job attention_job(const Shape& shape, Cache cache, bool prompt) {
    constexpr std::uint32_t texts = 4, tokens = 512, keys = 2048;
    const std::uint32_t rows = prompt ? tokens : texts;
    return {{&shape, std::nullopt, cache, rows, keys},
            ops::AttentionClass{cache, shape.model->head_dim, prompt},
            rows};
}

// One for each class, the most important first.
std::vector<Job> jobs_of(const TuneOptions& options) {
    std::vector<Job> jobs;
    const auto add = [&](Job job) {
        if (job.rows <= options.most_rows &&
            std::ranges::none_of(jobs, [&](const Job& other) { return other.of == job.of; }))
            jobs.push_back(std::move(job));
    };
    for (const Cache cache : options.caches)
        for (const Shape& shape : options.shapes)
            if (shape.operation == Operation::attention &&
                shape.model->head_dim % info(cache).block_size == 0)
                for (const bool prompt : {false, true}) add(attention_job(shape, cache, prompt));
    for (const Format format : options.formats)
        for (const Shape& shape : options.shapes)
            if (is_product(shape.operation) && shape.in % info(format).block_size == 0)
                for (std::size_t i = 0; i < std::size(ops::row_classes); ++i)
                    add(product_job(shape, format, i, options.int8));
    return jobs;
}

}  // namespace

std::vector<Shape> shapes_to_tune(const ModelShape& m) {
    using enum Operation;
    const auto shape = [&](Operation operation, std::string_view part, std::uint32_t in,
                           std::uint32_t out, Epilogue epilogue) {
        return Shape{operation, part, in, out, epilogue, &m, {m.name}};
    };
    std::vector<Shape> shapes{shape(attention, "", m.q_size(), m.kv_size(), Epilogue::store),
                              shape(matmul, "wo", m.q_size(), m.hidden, Epilogue::add)};
    shapes.push_back(m.dense ? shape(matmul, "w13", m.hidden, 2 * m.intermediate, Epilogue::swiglu)
                             : shape(matmul, "head", m.hidden, m.vocabulary, Epilogue::store));
    if (m.experts != 0)
        shapes.push_back(shape(experts, "up", m.hidden, 2 * m.intermediate, Epilogue::swiglu));
    return shapes;
}

TuneReport tune(Device& device, const TuneOptions& options, const TuneListener& listener) {
    const std::vector<Job> jobs = jobs_of(options);
    if (!device.info().is_cpu)  // which uses none
        for (std::size_t i = 0; i < tier_count; ++i) device.has(static_cast<Tier>(i));
    const Restored own(device);
    const auto start = Clock::now();
    Tuner tuner(device, options);
    TuneReport report;
    for (std::size_t i = 0; i < jobs.size(); ++i) {
        const std::string name = text(jobs[i].of);
        if (seconds_since(start) > options.most_seconds) {
            report.left_out.push_back(name + ": time is up");
            continue;
        }
        listener.on_class(name, static_cast<double>(i) / static_cast<double>(jobs.size()));
        try {
            report.classes.push_back(tuner.tune(jobs[i]));
        } catch (const Error& error) {
            report.left_out.push_back(name + ": " + error.what());
            continue;
        }
        listener.on_result(report.classes.back());
    }
    return report;
}

TuneOptions untried(TuneOptions options, const ops::Tuning& tuning) {
    std::erase_if(options.formats, [&](Format format) {
        return std::ranges::all_of(options.shapes, [&](const Shape& shape) {
            return !is_product(shape.operation) ||
                   tuning.tried.contains(products_of(shape, format, options.int8));
        });
    });
    return options;
}

void adopt(const TuneReport& report, const TuneOptions& options, const std::string& date,
           ops::Tuning& tuning) {
    if (!report.classes.empty()) tuning.date = date;
    for (const TunedClass& tuned : report.classes) put(tuning, tuned, tuned.best);
    if (options.most_rows != ~0u) return;  // a part of them
    for (const Shape& shape : options.shapes)
        if (is_product(shape.operation))
            for (const Format format : options.formats)
                tuning.tried.insert(products_of(shape, format, options.int8));
}

}  // namespace assay::bench
