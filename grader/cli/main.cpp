#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <iostream>
#include <map>
#include <memory>
#include <new>
#include <string>

#include "grader/cli/commands.h"
#include "grader/cli/help.h"
#include "grader/cli/interrupt.h"
#include "grader/cli/lavapipe.h"
#include "runtime/error.h"

namespace assay::cli {
namespace {

constexpr const char* description =
    "Assay grades texts with a language model that was trained to judge, on any Vulkan 1.3 "
    "device.";
constexpr const char* footer =
    "Start here:\n"
    "  assay grade --model demo --rubric helpfulness --instruction 'Why does bread rise?' \\\n"
    "      --response 'Yeast gives off gas.'\n"
    "  assay COMMAND --help       what a command does, its options and an example\n"
    "\n"
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done, but some items are unscored.";

int fail(const char* message) {
    std::string line(message);
    std::ranges::replace(line, '\n', ' ');
    std::fprintf(stderr, "assay: %s\n", line.c_str());
    return exit_code::failed;
}

// What is printed is part of the work: a full disk behind standard output is a failure.
void finish_output() {
    std::cout.flush();
    if (std::fflush(stdout) != 0 || std::ferror(stdout) || !std::cout)
        throw Error("standard output: not all of it could be written");
}

class Program {
public:
    Program() : app_(description, "assay") {
        app_.set_version_flag("--version", "assay " ASSAY_VERSION);
        app_.footer(footer);
        app_.require_subcommand(0, 1);
        app_.formatter(std::make_shared<HelpFormatter>());
        for (const Command* command : commands()) add(*command);
    }

    int run(int argc, char** argv) {
        try {
            app_.parse(argc, argv);
            if (app_.get_subcommands().empty()) throw CLI::CallForHelp();
            const auto& [command, action] = actions_.at(app_.get_subcommands().front());
            if (command->uses_device) move_to_lavapipe_without_gpu(argv);
            return action();
        } catch (const CLI::ParseError& error) {
            // CLI11 shows help and version through exceptions too.
            return error.get_exit_code() == 0 ? app_.exit(error) : wrong_usage(error.what());
        } catch (const UsageError& error) {
            return wrong_usage(error.what());
        }
    }

private:
    void add(const Command& command) {
        CLI::App* parser = app_.add_subcommand(
            std::string(command.name), std::string(command.summary) + ".\n\n" +
                                           wrapped(std::string(command.description), help_width));
        parser->group("Commands");
        parser->footer("Example:\n  " + std::string(command.example));
        actions_[parser] = {&command, command.add_options(*parser)};
    }

    int wrong_usage(const char* message) const {
        std::string name = "assay";
        for (const CLI::App* parser = &app_; !parser->get_subcommands().empty();) {
            parser = parser->get_subcommands().front();
            name += " " + parser->get_name();
        }
        std::fprintf(stderr, "%s: %s\n%s --help shows how it is used.\n", name.c_str(), message,
                     name.c_str());
        return exit_code::wrong_usage;
    }

    CLI::App app_;
    std::map<const CLI::App*, std::pair<const Command*, Action>> actions_;
};

}  // namespace
}  // namespace assay::cli

int main(int argc, char** argv) {
    std::ios::sync_with_stdio(false);  // which makes std::cin tell what a pipe holds already
    try {
        const int code = assay::cli::Program().run(argc, argv);
        assay::cli::finish_output();
        return code;
    } catch (const assay::cli::Interrupted& interrupted) {
        return 128 + interrupted.signal;
    } catch (const std::bad_alloc&) {
        return assay::cli::fail("out of memory");
    } catch (const std::exception& error) {
        return assay::cli::fail(error.what());
    }
}
