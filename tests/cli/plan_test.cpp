// Plans and truncated prompts; they need no device.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/program.h"
#include "tests/model/test_files.h"

namespace assay::test {
namespace {

using Json = nlohmann::json;
using Arguments = std::vector<std::string>;

std::string demo_file() { return data("demo-judge/tiny-judge-Q8_0.gguf"); }

std::string items() {
    std::string words;
    for (int i = 0; i < 700; ++i) words += "word ";
    const Json fits{{"id", "fits"}, {"instruction", "x"}, {"response", "y"}, {"rubric", "honesty"}};
    Json longer = fits;
    longer["id"] = "long";
    longer["response"] = words;
    return fits.dump() + "\n" + longer.dump() + "\n";
}

// No driver is found, so that a device could not be opened.
const std::string no_device = "VK_DRIVER_FILES=/nonexistent ASSAY_LAVAPIPE_PID=$$";

Ran run(const std::string& command, const Arguments& more) {
    Arguments arguments{command, "--model", demo_file(), "-i", "-", "--context", "1024"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_assay(arguments, items(), no_device);
}

TEST(PlanCommand, NeedsNoDevice) {
    const Ran refused = run("grade", {"--plan", "--json"});
    EXPECT_EQ(refused.exit_code, 3) << refused.errors;
    const Json plan = Json::parse(refused.output);
    EXPECT_EQ(plan["context"], 1024);
    EXPECT_EQ(plan["too_long"][0]["id"], "long");
    EXPECT_EQ(plan["texts"], 1);

    const Ran text = run("grade", {"--plan", "--too-long", "truncate-middle"});
    EXPECT_EQ(text.exit_code, 0) << text.errors;
    EXPECT_NE(text.output.find("too long for the context: 1, 0 of them refused\n  long: "),
              std::string::npos)
        << text.output;
}

// What render shows is what the plan says will be sent.
TEST(PlanCommand, AgreesWithRender) {
    const Ran plan = run("grade", {"--plan", "--json", "--too-long", "truncate-middle"});
    ASSERT_EQ(plan.exit_code, 0) << plan.errors;
    const Ran rendered = run("render", {"--too-long", "truncate-middle"});
    ASSERT_EQ(rendered.exit_code, 0) << rendered.errors;
    const auto prompts = lines(rendered.output);
    ASSERT_EQ(prompts.size(), 2u);
    const Json whole = Json::parse(prompts[0]), cut = Json::parse(prompts[1]);
    EXPECT_FALSE(whole.contains("truncated"));
    const Json json = Json::parse(plan.output);
    EXPECT_EQ(cut["truncated"], json["too_long"][0]["truncated"]);
    EXPECT_EQ(json["tokens"]["prompts"], whole["ids"].size() + cut["ids"].size());
    EXPECT_NE(cut["prompt"].get<std::string>().find(" tokens left out ...]\n"), std::string::npos);
    // As it is, with the default.
    EXPECT_EQ(Json::parse(lines(run("render", {}).output)[1])["ids"].size(),
              json["too_long"][0]["tokens"]);
}

}  // namespace
}  // namespace assay::test
