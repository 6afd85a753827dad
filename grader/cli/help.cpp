#include "grader/cli/help.h"

#include <iomanip>
#include <sstream>

namespace assay::cli {

std::string wrapped(const std::string& text, std::size_t width) {
    std::istringstream lines(text);
    std::string result;
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::size_t column = line.find_first_not_of(' ');
        if (column == std::string::npos) column = 0;
        const std::string indent(column, ' ');
        result += (result.empty() ? "" : "\n") + indent;
        bool first = true;
        for (std::string word; words >> word; first = false) {
            if (!first && column + 1 + word.size() > width) {
                result += "\n" + indent;
                column = indent.size();
            } else if (!first) {
                result += ' ';
                ++column;
            }
            result += word;
            column += word.size();
        }
    }
    return result;
}

std::string HelpFormatter::make_subcommand(const CLI::App* command) const {
    const std::string description = command->get_description();
    std::ostringstream line;
    line << std::left << std::setw(column) << ("  " + command->get_name())
         << description.substr(0, description.find('\n')) << '\n';
    return line.str();
}

std::string HelpFormatter::make_option_desc(const CLI::Option* option) const {
    return wrapped(option->get_description(), help_width - column);
}

}  // namespace assay::cli
