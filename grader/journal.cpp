#include "grader/journal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "model/formats/mapped_file.h"
#include "runtime/error.h"

namespace assay {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::ordered_json;

constexpr std::size_t group_records = 32;
constexpr auto group_time = 1s;
constexpr int format_version = 1;
constexpr const char* header_key = "assay";
constexpr std::string_view header_opening = R"({"assay":{"journal":)";
constexpr const char* remedy = ": give another -o, or --force to replace it";
constexpr const char* length_remedy =
    ": --retry unscored keeps the grades and grades the rest anew with this one; else give another "
    "-o";

std::string text_of(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// What finds the record of an item: its id with the hash of the item, or with what is wrong with
// the line.
std::string key_of(const Json& id, const std::string& content) {
    return text_of(id) + " " + text_of(content);
}

std::string key_of(const Json& record) {
    for (const char* field : {"item_hash", "error"})
        if (const auto content = record.find(field);
            content != record.end() && content->is_string())
            return key_of(record.at("id"), content->get<std::string>());
    return key_of(record.at("id"), "");
}

std::string key_of(const Item& item) { return key_of(to_json(item.id), item_hash(item)); }
std::string key_of(const BadItem& item) { return key_of(to_json(item.id), item.what()); }

// "/sampling/top_p" as people write it.
std::string spelt(std::string pointer) {
    pointer.erase(0, 1);
    std::ranges::replace(pointer, '/', '.');
    return pointer;
}

// The settings of a journal's first line; null if it is none.
Json settings_in(std::string_view first_line) {
    const Json line = Json::parse(first_line, nullptr, false);
    const bool is_header = line.is_object() && line.contains(header_key);
    return is_header && line[header_key].is_object() ? line[header_key] : Json();
}

// A header that was being written when the run was cut off.
bool is_torn_header(std::string_view line) {
    return line.starts_with(header_opening) || header_opening.starts_with(line);
}

}  // namespace

Journal::Journal(std::filesystem::path path, const JournalOptions& options)
    : path_(std::move(path)), options_(options) {
    file_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (file_ < 0) fail(std::strerror(errno));
    try {
        struct stat status {};
        regular_ = ::fstat(file_, &status) == 0 && S_ISREG(status.st_mode);
        if (!regular_) return;
        lock();
        if (!options_.replace) read();
    } catch (...) {
        ::close(file_);
        throw;
    }
}

Journal::~Journal() { ::close(file_); }

void Journal::fail(const std::string& why) const { throw Error(path_.string() + ": " + why); }

// A file system without locks has none to be kept out by.
void Journal::lock() const {
    if (::flock(file_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        fail("another run is writing to it");
}

void Journal::read() {
    const MappedFile file(path_);
    std::string_view rest = file.text();
    for (std::size_t number = 1; !rest.empty(); ++number) {
        const std::size_t line_break = rest.find('\n');
        const bool whole = line_break != std::string_view::npos;
        const std::string_view line = rest.substr(0, line_break);
        // Only the end of an object closes it, so half of one never parses.
        const bool torn = !whole && !Json::accept(line);
        if (torn && (!header_.is_null() || is_torn_header(line))) return;
        read_line(line, number);
        line_open_ = !whole;
        rest.remove_prefix(whole ? line_break + 1 : rest.size());
        end_ = file.text().size() - rest.size();
    }
}

void Journal::read_line(std::string_view line, std::size_t number) {
    const Json json = Json::parse(line, nullptr, false);
    if (json.is_object() && json.contains(header_key) && json[header_key].is_object()) {
        header_ = json[header_key];
        if (header_.value("journal", Json()) != format_version)
            fail("journal: " + text_of(header_.value("journal", Json())) + " in the file, " +
                 std::to_string(format_version) + " is what this version reads" + remedy);
        return;
    }
    if (header_.is_null()) fail("exists and was not written by assay grade" + std::string(remedy));
    if (!json.is_object() || !json.contains("id"))
        fail("line " + std::to_string(number) + ": no record" + remedy);
    const RecordFacts facts = facts_of(json);
    Done& done = done_[key_of(json)];
    (facts.scored() ? done.scored : done.unscored).push_back(facts);
}

// "seed is 3 in the file, 4 in this run: ...", for the first key that differs; `all`: also for one
// that is missing among these settings.
std::optional<std::string> Journal::difference(const Settings& settings, bool all) const {
    const Json before = header_.flatten(), now = settings.flatten();
    std::vector<std::string> keys;
    for (const auto& [key, value] : now.items()) keys.push_back(key);
    for (const auto& [key, value] : before.items())
        if (all && !now.contains(key) && key != "/journal") keys.push_back(key);
    for (const std::string& key : keys) {
        const auto value_in = [&](const Json& flat) {
            return flat.contains(key) ? text_of(flat[key]) : "none";
        };
        const bool of_length = key == "/context" || key == "/too_long";
        if (options_.retry_unscored && of_length) continue;
        if (value_in(before) != value_in(now))
            return spelt(key) + " is " + value_in(before) + " in the file, " + value_in(now) +
                   " in this run" + (of_length ? length_remedy : remedy);
    }
    return std::nullopt;
}

void Journal::check(const Settings& settings) const {
    if (header_.is_null()) return;
    if (const auto what = difference(settings, false)) fail(*what);
}

void Journal::begin(const Settings& settings) {
    if (!header_.is_null())
        if (const auto what = difference(settings, true)) fail(*what);
    if (regular_ && ::ftruncate(file_, static_cast<off_t>(end_)) != 0) fail(std::strerror(errno));
    if (line_open_) write("");
    Settings header{{"journal", format_version}};
    header.update(settings);
    // What --retry changed stands in a header of its own.
    if (header_ == header) return;
    write(text_of({{header_key, header}}));
    header_ = header;
    sync();
}

std::optional<RecordFacts> Journal::take(const std::variant<Item, BadItem>& item) {
    const auto found = done_.find(std::visit([](const auto& it) { return key_of(it); }, item));
    if (found == done_.end()) return std::nullopt;
    auto& [scored, unscored] = found->second;
    const bool retry = options_.retry_unscored && std::holds_alternative<Item>(item);
    auto& from = scored.empty() && !retry ? unscored : scored;
    if (from.empty()) return std::nullopt;
    const RecordFacts facts = from.back();
    from.pop_back();
    return facts;
}

void Journal::append(const Record& record) {
    write(to_json_line(record));
    ++unsynced_;
    if (unsynced_ >= group_records) sync();
    sync_if_due();
}

void Journal::write(const std::string& line) {
    const std::string text = line + "\n";
    for (std::size_t done = 0; done < text.size();) {
        const ssize_t wrote = ::write(file_, text.data() + done, text.size() - done);
        if (wrote >= 0) {
            done += static_cast<std::size_t>(wrote);
        } else if (errno != EINTR) {
            const std::string why = std::strerror(errno);
            sync();
            if (regular_ && ::ftruncate(file_, static_cast<off_t>(end_)) != 0)
                fail(why);  // the torn line goes when the file is opened again
            fail(why + "; the records before are there, the same command goes on with the rest");
        }
    }
    end_ += text.size();
}

void Journal::sync_if_due() {
    if (unsynced_ > 0 && Clock::now() - synced_ >= group_time) sync();
}

void Journal::sync() {
    if (regular_ && ::fsync(file_) != 0) fail(std::string("fsync: ") + std::strerror(errno));
    unsynced_ = 0;
    synced_ = Clock::now();
}

bool is_journal(const std::filesystem::path& path) {
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(path, ignored)) return false;
    std::string line;
    std::getline(std::ifstream(path) >> std::ws, line);
    return settings_in(line).is_object();
}

Journal::Settings journal_settings(const std::filesystem::path& path) {
    const MappedFile file(path);
    const std::string_view text = file.text();
    Json settings = settings_in(text.substr(0, text.find('\n')));
    if (settings.is_object()) return settings;
    throw Error(path.string() + ": does not begin with the settings of a run");
}

}  // namespace assay
