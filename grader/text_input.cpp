#include "grader/text_input.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "runtime/error.h"

namespace assay {
namespace {

constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
constexpr std::size_t chunk_bytes = 1 << 16;

bool is_blank(std::string_view line) {
    return line.find_first_not_of(" \t\r\n\v\f") == std::string_view::npos;
}

}  // namespace

TextInput::TextInput(std::istream& stream, std::string name, bool live)
    : stream_(stream), name_(std::move(name)), live_(live) {}

std::optional<std::string> TextInput::next_line() {
    line_ += std::exchange(line_ended_, false);
    while (true) {
        std::size_t line_break;
        for (std::size_t from = at_;
             (line_break = buffer_.find('\n', from)) == std::string::npos;) {
            const std::size_t known = buffer_.size() - at_;
            if (!fill()) break;
            from = at_ + known;
        }
        const std::size_t stop = std::min(line_break, buffer_.size());
        std::string line = buffer_.substr(at_, stop - at_);
        at_ = stop;
        const bool whole = line_break != std::string::npos;
        at_ += whole;
        if (!is_blank(line)) {
            line_ended_ = whole;
            return line;
        }
        if (!whole) return std::nullopt;
        ++line_;
    }
}

bool TextInput::drop_blank_lines() {
    line_ += std::exchange(line_ended_, false);
    while (true) {
        const std::size_t line_break = buffer_.find('\n', at_);
        if (line_break == std::string::npos) return false;
        if (!is_blank(std::string_view(buffer_).substr(at_, line_break - at_))) return true;
        at_ = line_break + 1;
        ++line_;
    }
}

bool TextInput::line_at_hand() {
    while (!drop_blank_lines()) {
        if (live_ && stream_.rdbuf()->in_avail() <= 0) return false;
        if (live_)
            read_available();
        else if (!fill())
            return !is_blank(std::string_view(buffer_).substr(at_));
    }
    return true;
}

std::string_view TextInput::preview(std::size_t bytes) {
    while (buffer_.size() - at_ < bytes) {
        const bool enough = live_ && buffer_.find('\n', at_) != std::string::npos;
        if (enough || !fill()) break;
    }
    return std::string_view(buffer_).substr(at_, bytes);
}

std::string_view TextInput::preview_all(std::size_t bytes) {
    while (buffer_.size() - at_ < bytes && fill()) continue;
    return std::string_view(buffer_).substr(at_, bytes);
}

bool TextInput::fill() {
    if (stream_.peek() == std::istream::traits_type::eof()) {
        if (stream_.bad())
            throw Error(name_ + ": reading failed after line " + std::to_string(line_));
        return false;
    }
    read_available();
    if (!std::exchange(started_, true)) drop_mark();
    return true;
}

void TextInput::read_available() {
    buffer_.erase(0, std::exchange(at_, 0));
    const auto available = std::max<std::streamsize>(stream_.rdbuf()->in_avail(), 1);
    const std::size_t before = buffer_.size();
    buffer_.resize(before + std::min(static_cast<std::size_t>(available), chunk_bytes));
    const std::streamsize got = stream_.rdbuf()->sgetn(
        buffer_.data() + before, static_cast<std::streamsize>(buffer_.size() - before));
    buffer_.resize(before + static_cast<std::size_t>(got));
}

void TextInput::drop_mark() {
    while (buffer_.size() < byte_order_mark.size() && byte_order_mark.starts_with(buffer_))
        if (!fill()) return;
    if (buffer_.starts_with(byte_order_mark)) at_ = byte_order_mark.size();
}

}  // namespace assay
