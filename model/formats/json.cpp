#include "model/formats/json.h"

#include <array>
#include <set>

#include "model/formats/file_tensor.h"
#include "runtime/error.h"

namespace assay {
namespace {

using nlohmann::json;

constexpr int deepest = 64;

// The names seen so far in the outermost object and in the one open inside it.
class Watcher {
public:
    explicit Watcher(const std::string& where) : where_(where) {}

    void see(int depth, json::parse_event_t event, const json& parsed) {
        if (depth > deepest)
            throw Error(where_ + ": nested deeper than " + std::to_string(deepest) + " levels");
        const auto level = static_cast<std::size_t>(depth);
        if (event == json::parse_event_t::object_start && level < names_.size())
            names_[level].clear();
        if (event != json::parse_event_t::key || level == 0 || level > names_.size()) return;
        const auto& name = parsed.get_ref<const std::string&>();
        if (!names_[level - 1].insert(name).second)
            throw Error(where_ + ": " + printable(name) + " is there twice");
    }

private:
    const std::string& where_;
    std::array<std::set<std::string>, 2> names_;
};

// nlohmann::json begins its texts with "[json.exception.parse_error.101] ".
std::string_view reason(std::string_view text) {
    const auto tag = text.find("] ");
    return tag == std::string_view::npos ? text : text.substr(tag + 2);
}

}  // namespace

json parse_json_object(const std::string& where, std::string_view text) {
    Watcher watcher(where);
    json value;
    try {
        value = json::parse(text, [&](int depth, json::parse_event_t event, json& parsed) {
            watcher.see(depth, event, parsed);
            return true;
        });
    } catch (const json::exception& error) {
        throw Error(where + ": not JSON: " + printable(reason(error.what()), 250));
    }
    if (!value.is_object()) throw Error(where + ": " + value.type_name() + " instead of an object");
    return value;
}

}  // namespace assay
