#pragma once
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "grader/facts.h"
#include "grader/item.h"
#include "grader/record.h"

namespace assay {

struct JournalOptions {
    bool replace = false;         // start anew, whatever the file holds
    bool retry_unscored = false;  // items whose record has no verdict count as not done
};

// A file of records, one JSON object a line, that only ever grows. Its first line is a header:
// {"assay": {"journal": 1, SETTINGS}} with everything that decides what a record says. A run that
// was cut off, whenever and however, is taken up where it was by opening the file again: it may
// have lost what was not yet on the disk, at most 32 records or those of one second, and never
// holds half a record.
class Journal {
public:
    using Settings = nlohmann::ordered_json;  // an object

    // Opens the file, or makes it, reads it, and keeps other runs from it. Changes nothing in it.
    // Throws an Error if the file holds something else, or another run writes to it.
    Journal(std::filesystem::path path, const JournalOptions& options);
    ~Journal();
    Journal(const Journal&) = delete;
    Journal& operator=(const Journal&) = delete;

    // Throws an Error if the file was made with another value of one of these settings. With
    // retry_unscored context and too_long may differ: they are what unscored items wait for.
    void check(const Settings& settings) const;
    // Readies the file for records made with these settings, which are all: removes a torn last
    // line, writes the header. Throws as check() does.
    void begin(const Settings& settings);

    // What the file holds of this item: of the same id and the same content. Each record is taken
    // once, the scored ones first, so that an item that is there twice needs two.
    std::optional<RecordFacts> take(const std::variant<Item, BadItem>& item);

    // Writes a record; a crash of the program cannot lose it any more. Throws an Error if it cannot
    // be written, and leaves none of it in the file then.
    void append(const Record& record);
    void sync_if_due();  // a second after the last time; for while no record comes
    void sync();         // a crash of the system cannot lose what was appended

private:
    using Clock = std::chrono::steady_clock;
    struct Done {
        std::vector<RecordFacts> scored, unscored;
    };

    void lock() const;
    void read();
    void read_line(std::string_view line, std::size_t number);
    std::optional<std::string> difference(const Settings& settings, bool all) const;
    void write(const std::string& line);
    [[noreturn]] void fail(const std::string& why) const;

    std::filesystem::path path_;
    JournalOptions options_;
    int file_ = -1;
    bool regular_ = false;    // not a pipe or a device, which hold nothing
    std::size_t end_ = 0;     // bytes that are whole lines
    bool line_open_ = false;  // the last of them lacks its line break
    Settings header_;         // null: there is none yet
    std::map<std::string, Done> done_;
    std::size_t unsynced_ = 0;  // records
    Clock::time_point synced_ = Clock::now();
};

// Whether a file that can be read twice begins as a journal does.
bool is_journal(const std::filesystem::path& path);
// The settings that the records of a file were made with. Throws an Error if it has none.
Journal::Settings journal_settings(const std::filesystem::path& path);

}  // namespace assay
