#include "grader/cli/view.h"

#include <cerrno>
#include <cmath>
#include <cstring>

#include "grader/calibration.h"
#include "grader/cli/terminal.h"
#include "runtime/error.h"

namespace assay::cli {
namespace {

class JsonLinesView : public View {
public:
    JsonLinesView(std::FILE* output, const std::string& name) : output_(output), name_(name) {}

    void show(const Record& record, std::size_t, std::optional<std::size_t>) override {
        const std::string line = to_json_line(record) + "\n";
        if (std::fwrite(line.data(), 1, line.size(), output_) != line.size() ||
            std::fflush(output_) != 0)
            throw Error(name_ + ": " + std::strerror(errno));
    }

private:
    std::FILE* output_;
    std::string name_;
};

class JournalView : public View {
public:
    explicit JournalView(Journal& journal) : journal_(journal) {}

    void show(const Record& record, std::size_t, std::optional<std::size_t>) override {
        journal_.append(record);
    }

private:
    Journal& journal_;
};

constexpr int bar_width = 10;

std::string probability_text(double probability) {
    char number[16];
    std::snprintf(number, sizeof number, "%.3f", probability);
    return number;
}

// "5 ######.... 0.612"
std::string bars(const VerdictDistribution& distribution) {
    std::string text;
    for (const char symbol : legal_verdicts(distribution.mode)) {
        const double probability = distribution.of({symbol});
        const int full = static_cast<int>(std::lround(probability * bar_width));
        text += std::string("  ") + symbol + " ";
        for (int i = 0; i < bar_width; ++i) text += i < full ? '#' : '.';
        text += " " + probability_text(probability) + "\n";
    }
    return text;
}

class PersonView : public View {
public:
    explicit PersonView(std::FILE* output) : output_(output), bold_(is_terminal(output)) {}

    bool for_person() const override { return true; }
    bool on_screen() const override { return bold_; }

    void begin(const Item& item) override {
        title(item.id, item.mode, 1, 1);
        begun_ = true;
    }

    void feedback(std::string_view piece) override { print(harmless(piece)); }

    void show(const Record& record, std::size_t number, std::optional<std::size_t> total) override {
        const auto* grade = std::get_if<Grade>(&record.result);
        if (!begun_) {
            title(record.id, record.mode, number, total);
            if (grade) feedback(grade->feedback);
        }
        if (grade)
            print("\n" + bars(grade->distribution) + "  " + strong(verdict_text(*grade)) +
                  rest(record, *grade) + warnings(record) + "\n\n");
        else
            show(std::get<Unscored>(record.result));
    }

private:
    void title(const ItemId& id, std::optional<Mode> mode, std::size_t number,
               std::optional<std::size_t> total) {
        std::string line = std::to_string(number);
        if (total) line += " of " + std::to_string(*total);
        line += "  " + harmless(id.text);
        if (mode) line += "  " + std::string(name(*mode));
        print(strong(line) + "\n  ");
    }

    void show(const Unscored& unscored) {
        print(strong("unscored") + " (" + unscored.reason + "): " + harmless(unscored.error) +
              "\n\n");
    }

    static std::string verdict_text(const Grade& grade) {
        if (grade.distribution.mode == Mode::absolute)
            return "score " + std::to_string(grade.verdict.score()) + " of 5";
        return std::string("better: ") + grade.verdict.symbol;
    }

    // ", calibrated 3.42"; of a pair ", A better with 0.71 calibrated"
    static std::string calibrated_text(const Record& record, const Grade& grade) {
        const VerdictDistribution& distribution = grade.distribution;
        const auto calibrated =
            record.calibration
                ? record.calibration->apply(distribution.mode, distribution.probabilities)
                : std::nullopt;
        if (!calibrated) return "";
        char text[64];
        std::snprintf(text, sizeof text,
                      distribution.mode == Mode::absolute ? ", calibrated %.2f"
                                                          : ", A is better with %.2f, calibrated",
                      calibrated->value);
        return text;
    }

    static std::string rest(const Record& record, const Grade& grade) {
        char text[160];
        std::string line;
        if (grade.distribution.mode == Mode::absolute) {
            std::snprintf(text, sizeof text, ", expected %.2f",
                          grade.distribution.expected_score());
            line += text;
        }
        line += calibrated_text(record, grade);
        if (record.scale) {
            const auto told = told_probabilities(record.calibration.get(), grade.distribution.mode,
                                                 grade.distribution.probabilities);
            line += ", " + text_of(*record.scale, grade.verdict.score(), told.values);
        }
        const double seconds = (grade.milliseconds.prefill + grade.milliseconds.decode) / 1000;
        std::snprintf(text, sizeof text, ", confidence %.2f, %.2f s (%zu tokens read, %zu written)",
                      grade.distribution.of(grade.verdict), seconds, grade.tokens.prompt,
                      grade.tokens.generated);
        line += text;
        if (grade.source == VerdictSource::forced && grade.tokens.generated > 0)
            line += ", forced: the text states no verdict";
        if (const auto consistent = record.consistent())
            line += *consistent ? ", the same in both orders" : ", NOT the same in both orders";
        if (grade.order == Order::ba) line += "; the feedback calls response B \"A\"";
        return line;
    }

    static std::string warnings(const Record& record) {
        std::string line;
        for (const std::string& warning : record.warnings)
            line += (line.empty() ? "\n  warnings: " : ", ") + warning;
        return line;
    }

    std::string strong(const std::string& text) const {
        return bold_ ? "\033[1m" + text + "\033[0m" : text;
    }

    void print(const std::string& text) {
        if (std::fwrite(text.data(), 1, text.size(), output_) != text.size() ||
            std::fflush(output_) != 0)
            throw Error(std::string("standard output: ") + std::strerror(errno));
    }

    std::FILE* output_;
    bool bold_;
    bool begun_ = false;  // the title is there, and the feedback as it came
};

}  // namespace

void View::begin(const Item&) {}
void View::feedback(std::string_view) {}

std::unique_ptr<View> json_lines_view(std::FILE* output, const std::string& name) {
    return std::make_unique<JsonLinesView>(output, name);
}

std::unique_ptr<View> person_view(std::FILE* output) {
    return std::make_unique<PersonView>(output);
}

std::unique_ptr<View> journal_view(Journal& journal) {
    return std::make_unique<JournalView>(journal);
}

}  // namespace assay::cli
