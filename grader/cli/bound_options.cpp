#include "grader/cli/bound_options.h"

#include <string>
#include <vector>

#include "grader/cli/commands.h"
#include "grader/cli/options.h"
#include "runtime/error.h"

namespace assay::cli {

void add_bound_options(CLI::App& command, Bounds& bounds) {
    const auto add = [&](const std::string& flag, std::vector<Bound>& kept, const char* help) {
        command
            .add_option_function<std::vector<std::string>>(
                flag,
                [flag, &kept](const std::vector<std::string>& texts) {
                    try {
                        for (const std::string& text : texts) kept.push_back(parse_bound(text));
                    } catch (const std::exception& error) {
                        throw UsageError(flag + ": " + error.what());
                    }
                },
                help)
            ->allow_extra_args(false)
            ->type_name("METRIC=VALUE");
    };
    add("--fail-under", bounds.least,
        "Exit code 1 if a figure is below its bound; may be given repeatedly");
    add("--fail-over", bounds.most,
        "Exit code 1 if a figure is above its bound, such as ece=0.1; may be given repeatedly");
    const std::string unscored_help =
        "Exit code 1 if any item is unscored; with =SHARE if more than this share is";
    command.add_flag("--fail-unscored{0}", unscored_help)
        ->check(number_between(0, 1))
        ->each([&bounds](const std::string& share) { bounds.most_unscored = std::stod(share); })
        ->type_name("[=SHARE]");
}

void require(const Bounds& bounds, std::span<const Metric> metrics) {
    if (const auto missed = bounds.missed(metrics)) throw Error(*missed);
}

}  // namespace assay::cli
