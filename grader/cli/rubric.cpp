#include "grader/rubric.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "grader/cli/commands.h"
#include "grader/cli/items.h"
#include "grader/cli/options.h"
#include "grader/cli/output_file.h"
#include "grader/cli/terminal.h"
#include "grader/rubric_check.h"
#include "grader/unicode.h"
#include "model/checkpoint.h"

namespace assay::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
    std::vector<std::string> rubrics;  // names and files
    std::string input, model;
    ItemOptions items;
    bool strict = false, json = false;
};

void print(const std::string& text) { std::fputs(text.c_str(), stdout); }

// What is known of a rubric.
struct Checked {
    std::string name;              // as it was given, or the first item that has it
    std::optional<Rubric> rubric;  // unless it could not be read
    RubricFindings findings = {};
    std::size_t items = 0;  // that have it

    bool fine() const { return findings.problems.empty() && findings.warnings.empty(); }
};

// What is known of the items of a file.
struct CheckedItems {
    std::size_t items = 0, bad = 0;
    std::size_t without_reference = 0, without_rubric = 0;
    std::size_t without_both = 0;
    std::vector<Checked> rubrics = {};  // of their own
};

// How long a text is: tokens of a model, or characters.
class Ruler {
public:
    explicit Ruler(const std::string& model) {
        if (!model.empty()) tokenizer_.emplace(open_tokenizer(resolve_model(model)));
    }

    const char* unit() const { return tokenizer_ ? "tokens" : "characters"; }

    // {"criteria", "levels", "whole"}
    Json lengths(const Rubric& rubric) const {
        const RubricParts parts = parts_of(rubric);
        Json levels = Json::array();
        for (const std::string& level : parts.levels) levels.push_back(length(level));
        return {{"criteria", length(parts.criteria)},
                {"levels", levels},
                {"whole", length(rubric.text)}};
    }

private:
    std::size_t length(const std::string& text) const {
        return tokenizer_ ? tokenizer_->encode(text).size() : decode_utf8(text).size();
    }

    std::optional<Tokenizer> tokenizer_;
};

std::string count(std::size_t number, const char* what) {
    return std::to_string(number) + " " + what + (number == 1 ? "" : "s");
}

Checked check_argument(const std::string& name) {
    Checked checked{.name = name, .rubric = std::nullopt};
    try {
        checked.rubric = rubric_from_argument(name);
        checked.findings = check_rubric(*checked.rubric);
    } catch (const std::runtime_error& error) {
        checked.findings.problems.emplace_back(error.what());
    }
    return checked;
}

// Rubrics of items, each once.
class ItemRubrics {
public:
    void add(const Item& item) {
        ++result_.items;
        const bool alone = !item.reference_answer;
        result_.without_reference += alone;
        if (item.rubric.text.empty()) {
            ++result_.without_rubric;
            result_.without_both += alone;
            return;
        }
        const auto key = std::pair(item.rubric.text, item.mode);
        const auto [found, is_new] = places_.emplace(key, result_.rubrics.size());
        if (is_new) {
            result_.rubrics.push_back({.name = item.id.text,
                                       .rubric = item.rubric,
                                       .findings = check_rubric(item.rubric, item.mode)});
            without_reference_.push_back(0);
        }
        ++result_.rubrics[found->second].items;
        without_reference_[found->second] += alone;
    }
    void add_bad() { ++result_.bad; }

    CheckedItems take() {
        for (std::size_t i = 0; i < result_.rubrics.size(); ++i)
            warn_of_reference(result_.rubrics[i], without_reference_[i]);
        return std::move(result_);
    }

    static void warn_of_reference(Checked& checked, std::size_t items) {
        if (items > 0 && checked.rubric && mentions_reference(*checked.rubric))
            checked.findings.warnings.push_back("speaks of a reference answer, " +
                                                count(items, "item") + " with it have none");
    }

private:
    CheckedItems result_;
    std::map<std::pair<std::string, Mode>, std::size_t> places_;  // in result_.rubrics
    std::vector<std::size_t> without_reference_;                  // items, of each of them
};

CheckedItems check_items(const Options& options) {
    // Items may go without a rubric until they are graded.
    const auto items = open_dataset(options.input, {.name = options.items.dataset,
                                                    .map = options.items.mappings,
                                                    .with = options.items.with,
                                                    .defaults = {.mode = {}, .rubric = Rubric{}}});
    ItemRubrics rubrics;
    while (const auto next = items->next())
        if (const auto* item = std::get_if<Item>(&*next)) {
            rubrics.add(*item);
        } else {
            rubrics.add_bad();
            std::fprintf(stderr, "assay: %s\n",
                         harmless(std::get<BadItem>(*next).what()).c_str());
        }
    return rubrics.take();
}

std::string text_of(const Checked& checked) {
    std::string text;
    for (const std::string& problem : checked.findings.problems)
        text += "  problem: " + problem + "\n";
    for (const std::string& warning : checked.findings.warnings)
        text += "  warning: " + warning + "\n";
    return text;
}

std::string text_of(const Checked& checked, const Ruler& ruler) {
    std::string text = checked.name + (checked.fine() ? ": fine\n" : ":\n") + text_of(checked);
    if (!checked.rubric) return text;
    const Json lengths = ruler.lengths(*checked.rubric);
    text += "  " + std::string(ruler.unit()) + ": " + lengths["whole"].dump() + ", criteria " +
            lengths["criteria"].dump() + ", levels";
    for (const Json& level : lengths["levels"]) text += " " + level.dump();
    return text + "\n";
}

std::string text_of(const CheckedItems& items, const std::string& path) {
    std::string text = path + ": " + count(items.items, "item") + ", " +
                       std::to_string(items.without_reference) + " without a reference answer, " +
                       std::to_string(items.without_rubric) + " without a rubric; " +
                       count(items.rubrics.size(), "rubric") + " of their own\n";
    if (items.without_reference > 0)
        text += "  warning: judges agree less with people where there is no reference answer\n";
    for (const Checked& checked : items.rubrics)
        if (!checked.fine())
            text +=
                "rubric of item " + checked.name +
                (checked.items > 1 ? " and " + std::to_string(checked.items - 1) + " more" : "") +
                ":\n" + text_of(checked);
    return text;
}

Json json_of(const Checked& checked, const Ruler& ruler) {
    Json json{{checked.items > 0 ? "first_item" : "rubric", checked.name},
              {"problems", checked.findings.problems},
              {"warnings", checked.findings.warnings}};
    if (checked.items > 0) json["items"] = checked.items;
    if (checked.rubric) json[ruler.unit()] = ruler.lengths(*checked.rubric);
    return json;
}

Json json_of(const CheckedItems& items, const Ruler& ruler) {
    Json rubrics = Json::array();
    for (const Checked& checked : items.rubrics) rubrics.push_back(json_of(checked, ruler));
    return {{"items", items.items},
            {"bad_records", items.bad},
            {"without_reference", items.without_reference},
            {"without_rubric", items.without_rubric},
            {"rubrics", rubrics}};
}

int code_of(const std::vector<Checked>& rubrics, const std::optional<CheckedItems>& items,
            bool strict) {
    const auto wrong = [&](const Checked& checked) {
        return !checked.findings.problems.empty() || (strict && !checked.fine());
    };
    if (std::ranges::any_of(rubrics, wrong)) return exit_code::failed;
    if (!items) return exit_code::done;
    if (std::ranges::any_of(items->rubrics, wrong)) return exit_code::failed;
    if (strict && items->without_reference > 0) return exit_code::failed;
    return items->bad > 0 ? exit_code::unscored_items : exit_code::done;
}

int check(const Options& options) {
    if (options.rubrics.empty() && options.input.empty())
        throw UsageError("nothing to check: give a NAME or FILE, or -i ITEMS");
    const Ruler ruler(options.model);
    std::vector<Checked> rubrics;
    for (const std::string& name : options.rubrics) rubrics.push_back(check_argument(name));
    std::optional<CheckedItems> items;
    if (!options.input.empty()) items = check_items(options);
    if (items)
        for (Checked& checked : rubrics)
            ItemRubrics::warn_of_reference(checked, items->without_both);

    std::string text;
    Json json{{"rubrics", Json::array()}};
    for (const Checked& checked : rubrics) {
        text += text_of(checked, ruler);
        json["rubrics"].push_back(json_of(checked, ruler));
    }
    if (items) {
        text += text_of(*items, options.input);
        json["items"] = json_of(*items, ruler);
    }
    print(options.json ? json_text(json, 2) : harmless(text));
    return code_of(rubrics, items, options.strict);
}

int list(bool json) {
    Json all = Json::array();
    for (const std::string_view name : builtin_rubric_names()) {
        const RubricParts parts = parts_of(*builtin_rubric(name));
        Json rubric{{"name", name}};
        rubric.update(to_json(parts));
        all.push_back(rubric);
        if (!json) print(std::string(name) + ": " + parts.criteria + "\n");
    }
    if (json) print(json_text(all, 2));
    return exit_code::done;
}

int show(const std::string& name, bool json) {
    const RubricParts parts = parts_of(rubric_from_argument(name));
    print(json ? json_text(to_json(parts), 2) : to_yaml(parts));
    return exit_code::done;
}

void add_check_options(CLI::App& command, Options& options) {
    command.add_option("RUBRIC", options.rubrics, "Names of built-in rubrics, and files");
    command
        .add_option("-i,--input", options.input,
                    "Items: check the rubrics they have, and count those without a reference "
                    "answer; - is standard input")
        ->type_name("ITEMS");
    add_dataset_options(command, options.items);
    command
        .add_option("--model", options.model,
                    "Tell lengths in this model's tokens (default: in characters); a bare "
                    "tokenizer.model is enough")
        ->type_name("MODEL");
    command.add_flag("--strict", options.strict, "Warnings make the exit code 1 too");
    add_json_flag(command, options.json);
}

Action add_options(CLI::App& command) {
    const auto options = std::make_shared<Options>();
    const auto shown = std::make_shared<std::string>();
    command.require_subcommand(1);
    CLI::App* of_list = command.add_subcommand("list", "List the built-in rubrics");
    of_list->footer("Example:\n  assay rubric list");
    add_json_flag(*of_list, options->json);

    CLI::App* of_show = command.add_subcommand(
        "show", "Print a rubric as a file that --rubric takes, to be saved and changed");
    of_show->footer("Example:\n  assay rubric show helpfulness > mine.yaml");
    of_show->add_option("RUBRIC", *shown, "A built-in NAME, or a file")->required();
    auto* yaml = of_show->add_flag_callback(
        "--yaml", [] {}, "As YAML (default)");
    of_show->add_flag("--json", options->json, "As JSON")->excludes(yaml);

    CLI::App* of_check = command.add_subcommand("check", "Say what is wrong with rubrics");
    of_check->footer("Example:\n  assay rubric check mine.yaml -i items.jsonl");
    add_check_options(*of_check, *options);
    return [=] {
        return of_list->parsed()   ? list(options->json)
               : of_show->parsed() ? show(*shown, options->json)
                                   : check(*options);
    };
}

}  // namespace

extern const Command rubric_command;
const Command rubric_command{
    .name = "rubric",
    .summary = "List, show and check rubrics: what judges grade by",
    .description =
        "list names the built-in rubrics. show prints one, or that of a file, as a file that "
        "--rubric takes. check says what is wrong with rubrics: levels that are missing, empty or "
        "the same are problems (exit code 1), levels that are nearly the same and reference "
        "answers that items lack are warnings (exit code 1 with --strict).",
    .example =
        "assay rubric show helpfulness > mine.yaml\n"
        "  assay rubric check mine.yaml -i items.jsonl",
    .add_options = add_options,
    .uses_device = false};

}  // namespace assay::cli
