#include "grader/dialogue.h"

#include <cctype>

namespace assay {
namespace {

using Json = nlohmann::json;

// As prometheus-eval's evaluation files have it, slip of the pen included.
constexpr const char* opening =
    "Here is a previous dialogue between an assistant and an user. Generate a human preferable "
    "response by the assistant.";

std::string content_of(const JsonFields& message) {
    const Json& content = message.at("content");
    if (!content.is_array()) return message.string("content");
    std::string text;
    for (const Json& part : content) {
        const bool is_text = part.is_object() && text_or_empty(part, "type") == "text";
        if (!is_text) message.fail("content: only text parts can be read");
        text += JsonFields(part, message.place() + "content: ").string("text");
    }
    return text;
}

std::string capitalised(std::string role) {
    role.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(role.front())));
    return role;
}

}  // namespace

std::vector<Message> parse_messages(const Json& list, const std::string& place) {
    if (!list.is_array())
        throw std::runtime_error(place + ": expected a list of messages, found " + describe(list));
    std::vector<Message> messages;
    for (const Json& object : list) {
        const std::string here = place + "[" + std::to_string(messages.size()) + "]: ";
        const JsonFields message(object, here);
        if (!object.is_object()) message.fail("expected an object, found " + describe(object));
        messages.push_back({message.string("role"), content_of(message)});
        if (messages.back().role.empty()) message.fail("role is empty");
    }
    if (messages.empty()) throw std::runtime_error(place + ": an empty list");
    return messages;
}

std::string dialogue_text(std::span<const Message> messages) {
    if (messages.size() == 1 && messages.front().role == "user") return messages.front().content;
    std::string text = opening;
    for (const Message& message : messages)
        text += "\n" + capitalised(message.role) + ": " + message.content;
    return text;
}

}  // namespace assay
