#include "grader/datasets/records.h"

#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

namespace assay {
namespace {

// Each record as JSON, or what is wrong with it.
std::vector<std::string> read(const std::string& text, const std::string& name = "x",
                              bool live = false) {
    std::istringstream stream(text);
    TextInput input(stream, name, live);
    const auto records = open_records(input);
    std::vector<std::string> found;
    while (const auto record = records->next()) {
        const auto* object = std::get_if<nlohmann::json>(&record->content);
        found.push_back(object ? record->place + object->dump()
                               : std::get<std::string>(record->content));
    }

    std::istringstream again(text);
    TextInput skipped(again, name, live);
    const auto unread = open_records(skipped);
    std::size_t count = 0;
    while (unread->skip()) ++count;
    EXPECT_EQ(count, found.size());
    return found;
}

using Records = std::vector<std::string>;

TEST(Records, Lines) {
    EXPECT_EQ(read("{\"a\": 1}\n\n[2]\n{\"b\""),
              (Records{"line 1: {\"a\":1}", "line 3: expected an object, found a list",
                       "line 4: incomplete JSON at byte 5 of 4"}));
    EXPECT_EQ(read("{\"a\": 1}"), Records{"line 1: {\"a\":1}"});
    EXPECT_EQ(read(""), Records{});
}

TEST(Records, ABadFirstLineIsALine) {
    EXPECT_EQ(read("{broken\n{\"a\": 1}\n"),
              (Records{"line 1: invalid JSON at byte 2 of 7", "line 2: {\"a\":1}"}));
}

TEST(Records, Lists) {
    EXPECT_EQ(read(" [{\"a\": \"]}\\\"\"}, {\"b\": [1, {}]},\n 3 ]\n"),
              (Records{"record 1: {\"a\":\"]}\\\"\"}", "record 2: {\"b\":[1,{}]}",
                       "record 3: expected an object, found the number 3"}));
    EXPECT_EQ(read("[]"), Records{});
}

TEST(Records, ABadRecordOfAListIsOne) {
    EXPECT_EQ(read("[{\"a\": 1}, {\"b\": nope}, {\"c\": 1}]"),
              (Records{"record 1: {\"a\":1}", "record 2: invalid JSON at byte 8 of 11",
                       "record 3: {\"c\":1}"}));
    EXPECT_EQ(read("[{\"a\": 1}, {\"b\": "),
              (Records{"record 1: {\"a\":1}", "record 2: the list ends within it"}));
}

TEST(Records, OneObjectThatHoldsThem) {
    const std::string item = R"({"instruction": "i", "response": "r"})";
    const std::string read_item = R"({"instruction":"i","response":"r"})";
    EXPECT_EQ(read("{\n\"version\": 1,\n\"tags\": [1],\n\"data\": [" + item + "]}"),
              Records{"record 1: " + read_item});
    EXPECT_EQ(read("{\"results\": {\"stats\": {}, \"results\": [" + item + "," + item + "]}}"),
              (Records{"record 1: " + read_item, "record 2: " + read_item}));
    EXPECT_EQ(read("{\n\"task_0\": " + item + "}"),
              Records{R"(record 1: {"id":"task_0","instruction":"i","response":"r"})"});
    EXPECT_EQ(read("{\n\"instruction\": \"i\",\n\"response\": \"r\"}"),
              Records{"record 1: " + read_item});
}

TEST(Records, Tables) {
    EXPECT_EQ(read("instruction,response\n\"a \"\"b\"\"\nc\",\"x,y\"\nd,\n"),
              (Records{R"(line 2: {"instruction":"a \"b\"\nc","response":"x,y"})",
                       R"(line 4: {"instruction":"d","response":null})"}));
    EXPECT_EQ(read("instruction\tresponse\r\na\tb,c\r\n"),
              Records{R"(line 2: {"instruction":"a","response":"b,c"})"});
    EXPECT_EQ(read("instruction;response\na;b"),
              Records{R"(line 2: {"instruction":"a","response":"b"})"});
    EXPECT_EQ(read("text\nhello\n", "x.csv"), Records{R"(line 2: {"text":"hello"})"});
}

TEST(Records, BadRowsAreNamed) {
    EXPECT_EQ(read("a,b\n1\n1,2,3\n1,\xff\n\"x,y\n"),
              (Records{"line 2: 1 columns, the first line has 2",
                       "line 3: 3 columns, the first line has 2", "line 4: b: invalid UTF-8",
                       "line 5: a quote is opened and not closed"}));
}

TEST(Records, DamagedLinesAreNoTable) {
    const std::string text = "\"a\": 1, \"b\": 2\n{\"a\": 1}\n";
    const Records lines{"line 1: invalid JSON at byte 4 of 14", "line 2: {\"a\":1}"};
    EXPECT_EQ(read(text), lines);
    EXPECT_EQ(read("a,b\nc,d\n", "x.jsonl").size(), 2u);
    EXPECT_EQ(read("{\"a\": 1,, 2\nx,y\n").size(), 2u);
}

// What comes through a pipe may be any of them.
TEST(Records, OfWhoeverIsStillWriting) {
    EXPECT_EQ(read("a,b\n1,2\n", "standard input", true), Records{R"(line 2: {"a":"1","b":"2"})"});
    EXPECT_EQ(read("{\n\"instruction\": \"i\",\n\"response\": \"r\"}\n", "standard input", true),
              Records{R"(record 1: {"instruction":"i","response":"r"})"});
    EXPECT_EQ(read("{broken\n{\"a\": 1}\n", "standard input", true).size(), 2u);
    EXPECT_EQ(read("{\"a\": 1}\n{\"a\": 2}\n", "standard input", true).size(), 2u);
}

TEST(Records, TheOnlyListOfAnUnknownLayout) {
    EXPECT_EQ(read("{\"version\": 2, \"rows\": [{\"q\": 1}, {\"q\": 2}]}"),
              (Records{"record 1: {\"q\":1}", "record 2: {\"q\":2}"}));
    const std::string two = R"({"a":[{"q":1},{"q":2}],"b":[{"q":1},{"q":2}]})";
    EXPECT_EQ(read(two), Records{"line 1: " + two});
}

TEST(Records, NothingFollowsAList) {
    for (const std::string text : {"[{\"a\": 1}]\n[{\"a\": 2}]", "[{\"a\": 1},"})
        EXPECT_EQ(read(text), (Records{"record 1: {\"a\":1}",
                                       "record 2: expected the end of the list and of the text"}));
}

// Counts what is read of it.
class CountingText : public std::stringbuf {
public:
    using std::stringbuf::stringbuf;
    std::size_t taken() { return static_cast<std::size_t>(gptr() - eback()); }
};

// A list of any length is read with the memory of one element.
TEST(Records, ListsAreNotReadAsAWhole) {
    std::string text = "[";
    for (int i = 0; i < 100000; ++i) text += R"({"instruction": "i", "response": "r"},)";
    text.back() = ']';
    CountingText buffer(text);
    std::istream stream(&buffer);
    TextInput input(stream, "x", false);
    const auto records = open_records(input);
    ASSERT_TRUE(records->next());
    EXPECT_LT(buffer.taken(), text.size() / 2);  // of 3.7 MB, of which a glance takes 1 MiB
    std::size_t count = 1;
    while (records->next()) ++count;
    EXPECT_EQ(count, 100000u);
}

}  // namespace
}  // namespace assay
