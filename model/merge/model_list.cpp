// https://github.com/martyn/safetensors-merge-supermario, hf_merge.py at 965e8b2.
#include "model/merge/model_list.h"

#include <nlohmann/json.hpp>
#include <sstream>

#include "model/formats/file_tensor.h"
#include "runtime/error.h"

namespace assay {

std::string config_of_list(const std::string& where, const std::string& list, double p,
                           double lambda) {
    std::string config = "models:\n";
    std::istringstream lines(list);
    std::size_t number = 0;
    for (std::string line; std::getline(lines, line);) {
        const std::string place = where + ":" + std::to_string(++number) + ": ";
        const auto first = line.find_first_not_of(" \t\r"), last = line.find_last_not_of(" \t\r");
        if (first == line.npos) continue;
        const std::string model = line.substr(first, last - first + 1);
        if (model.find_first_of(" \t") != model.npos)
            throw Error(place + printable(model) + ": one model a line is needed");
        try {
            config += "  - model: " + nlohmann::json(model).dump() + "\n";
        } catch (const nlohmann::json::exception&) {
            throw Error(place + "not UTF-8");
        }
    }
    return config + "merge_method: supermario\nparameters: {p: " + nlohmann::json(p).dump() +
           ", lambda: " + nlohmann::json(lambda).dump() + "}\n";
}

}  // namespace assay
