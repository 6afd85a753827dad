#pragma once
#include <cstddef>
#include <istream>
#include <optional>
#include <string>
#include <string_view>

namespace assay {

// Text read by lines or by characters, from a file or from somebody who is still writing it. A byte
// order mark in front is left out.
class TextInput {
public:
    // The stream must outlive this. `name` is for errors.
    TextInput(std::istream& stream, std::string name, bool live);

    const std::string& name() const { return name_; }
    bool live() const { return live_; }

    // The next line that is not blank, without its end; nullopt at the end of the text. All that
    // waits for the stream throws an Error if reading it fails.
    std::optional<std::string> next_line();
    // Whether next_line() has one without waiting.
    bool line_at_hand();
    // The next `bytes` bytes, or as many as there are; of a live text those of whole lines.
    std::string_view preview(std::size_t bytes);
    std::string_view preview_all(std::size_t bytes);  // the same, waiting for whoever writes

    int peek() { return at_ < buffer_.size() || fill() ? byte() : end; }
    int get() {
        const int c = peek();
        if (c != end) skip();
        return c;
    }
    // Of the line that next_line() gave, or that the next character stands on, from 1.
    std::size_t line() const { return line_; }

    static constexpr int end = -1;

private:
    int byte() const { return static_cast<unsigned char>(buffer_[at_]); }
    void skip() { line_ += buffer_[at_++] == '\n'; }
    bool fill();  // waits for more; false at the end
    void read_available();
    void drop_mark();
    bool drop_blank_lines();  // true: a whole line that is not blank begins the buffer

    std::istream& stream_;
    std::string name_;
    bool live_;
    std::string buffer_;
    std::size_t at_ = 0;  // where in the buffer the rest begins
    std::size_t line_ = 1;
    bool line_ended_ = false;  // the line break of the line given last is still to be counted
    bool started_ = false;
};

}  // namespace assay
