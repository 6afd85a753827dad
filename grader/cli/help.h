#pragma once
#include <CLI/CLI.hpp>
#include <string>

namespace assay::cli {

// CLI11's help with lines of bounded length, and the list of commands with the first line of each
// one's description alone.
class HelpFormatter : public CLI::Formatter {
public:
    HelpFormatter() {
        column_width(column);
        keep_lines(*this);
    }

    std::string make_subcommand(const CLI::App* command) const override;
    std::string make_option_desc(const CLI::Option* option) const override;

private:
    // Newer versions of CLI11 break lines by themselves, at another width.
    template <class Formatter>
    static void keep_lines(Formatter& formatter) {
        if constexpr (requires { formatter.enable_footer_formatting(false); }) {
            formatter.enable_footer_formatting(false);
            formatter.enable_description_formatting(false);
        }
    }

    static constexpr std::size_t column = 34;  // where descriptions begin
};

// Breaks lines at spaces so that none is longer than `width` if words allow it.
std::string wrapped(const std::string& text, std::size_t width);

constexpr std::size_t help_width = 100;

}  // namespace assay::cli
