// Commands that run a model on the device.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/cli/program.h"
#include "tests/model/test_files.h"
#include "tests/support/golden.h"

namespace assay::test {
namespace {

using Json = nlohmann::json;

const std::string no_device =
    "VK_DRIVER_FILES=/nonexistent VK_ICD_FILENAMES=/nonexistent ASSAY_LAVAPIPE_PID=$$";

std::string demo_file() { return data("demo-judge/tiny-judge-Q8_0.gguf"); }

std::string item(const std::string& id, const std::string& response) {
    return Json{{"id", id},
                {"instruction", "Why does bread rise?"},
                {"response", response},
                {"rubric", "helpfulness"}}
               .dump() +
           "\n";
}

TEST(Devices, ListsThem) {
    const Ran ran = run_assay({"devices", "--json"});
    ASSERT_EQ(ran.exit_code, 0) << ran.errors;
    const Json devices = Json::parse(ran.output);
    ASSERT_FALSE(devices.empty());
    EXPECT_EQ(devices[0]["index"], 0);
    EXPECT_TRUE(devices[0]["usable"].get<bool>());
    EXPECT_EQ(devices[0]["matmul"][0]["from_rows"], 1);
}

TEST(Devices, NoDeviceIsOneLine) {
    for (const std::vector<std::string>& arguments :
         {std::vector<std::string>{"devices"}, {"grade", "--model", demo_file(), "-i", "-"}}) {
        const Ran ran = run_assay(arguments, item("a", "b"), no_device);
        EXPECT_EQ(ran.exit_code, 1);
        EXPECT_EQ(lines(ran.errors).size(), 1u) << ran.errors;
        EXPECT_NE(ran.errors.find("no Vulkan device"), std::string::npos) << ran.errors;
    }
}

TEST(Info, DescribesAModelWithAndWithoutADevice) {
    for (const std::string& environment : {std::string(), no_device}) {
        const Ran ran =
            run_assay({"info", demo_file(), "--context", "512", "--json"}, "", environment);
        ASSERT_EQ(ran.exit_code, 0) << ran.errors;
        const Json info = Json::parse(ran.output);
        EXPECT_EQ(info["config"]["vocab_size"], 2560);
        EXPECT_GT(info["formats"]["q8_0"]["bytes"], 3'000'000);
        const Json& plan = info["memory_plan"]["shares"][0];
        EXPECT_GT(plan["weights_bytes"], info["formats"]["q8_0"]["bytes"]);
        // Keys and values, 4 layers, 4 heads of 32 in f16.
        const int kv_tokens = info["memory_plan"]["kv_tokens"];
        EXPECT_GE(kv_tokens, 512);
        EXPECT_EQ(plan["kv_cache_bytes"], 2 * 4 * 4 * 32 * 2 * kv_tokens);
        EXPECT_EQ(plan.contains("fits"), environment.empty());
    }
}

TEST(Info, DescribesAModelWithoutATokenizer) {
    const Ran ran = run_assay({"info", data("hf/b_mistral_window16/model")});
    EXPECT_EQ(ran.exit_code, 0) << ran.errors;
    EXPECT_NE(ran.output.find("tokenizer     none"), std::string::npos) << ran.output;
}

TEST(Info, ShowsExperts) {
    const std::string model = data("hf/c_mixtral_4x_top2/model");
    const Ran ran = run_assay({"info", model});
    EXPECT_EQ(ran.exit_code, 0) << ran.errors;
    for (const char* part : {"MixtralForCausalLM", "4 in every layer, 2 used for a token",
                             "0.4 million, 0.3 million used for a token", "855.3 kB in 41 tensors"})
        EXPECT_NE(ran.output.find(part), std::string::npos) << part << " is not in\n" << ran.output;
    const Json info = Json::parse(run_assay({"info", model, "--json"}).output);
    EXPECT_EQ(info.at("config").at("num_local_experts"), 4);
    EXPECT_EQ(info.at("config").at("num_experts_per_tok"), 2);
    EXPECT_EQ(info.at("tensors"), 41);
    EXPECT_EQ(info.at("bytes"), 855296);
    EXPECT_EQ(info.at("parameters"), 855296 / 2);
    // Two of the four experts in each of two layers lie idle.
    EXPECT_EQ(info.at("active_parameters"), 855296 / 2 - 2 * 2 * 3 * 128 * 64);
}

TEST(Grade, SameTextAloneAndInAnyOrder) {
    const auto without_id = [](const std::string& response) {
        Json fields = Json::parse(item("", response));
        fields.erase("id");
        return fields.dump() + "\n";
    };
    const auto feedback_of = [](const std::string& items) {
        const Ran ran =
            run_assay({"grade", "--model", demo_file(), "-i", "-", "--profile", "paper-eval",
                       "--seed", "3", "--max-new-tokens", "12", "--quiet"},
                      items);
        EXPECT_EQ(ran.exit_code, 0) << ran.errors;
        std::vector<std::string> texts(lines(ran.output).size());
        for (const std::string& line : lines(ran.output)) {
            const Json record = Json::parse(line);
            texts.at(record["id"].get<std::size_t>() - 1) = record["feedback"];
        }
        return texts;
    };
    const std::string a = without_id("Yeast makes gas."), b = without_id("I cannot say.");
    const auto both = feedback_of(a + b), swapped = feedback_of(b + a), alone = feedback_of(b);
    ASSERT_EQ(both.size(), 2u);
    ASSERT_EQ(swapped.size(), 2u);
    ASSERT_EQ(alone.size(), 1u);
    EXPECT_EQ(both[0], swapped[1]);
    EXPECT_EQ(both[1], swapped[0]);
    EXPECT_EQ(both[1], alone[0]);
}

TEST(Grade, GoesOnAfterBadItems) {
    const TemporaryFolder folder;
    std::string too_long;
    for (int i = 0; i < 3000; ++i) too_long += "word ";
    const auto items = folder.write(
        "items.jsonl", item("good", "Yeast makes gas.") + "{\"id\": 7, \"instruction\": 1}\n" +
                           item("long", too_long) + item("good", "I cannot say."));
    const std::string output = folder.path() / "out.jsonl";
    const std::vector<std::string> arguments{"grade", "--model", demo_file(),        "-i", items,
                                             "-o",    output,    "--max-new-tokens", "12"};
    const Ran ran = run_assay(arguments);
    EXPECT_EQ(ran.exit_code, 3) << ran.errors;
    EXPECT_EQ(ran.output, "");
    EXPECT_NE(ran.errors.find("graded 2, unscored 2"), std::string::npos) << ran.errors;
    EXPECT_NE(ran.errors.find("more than once"), std::string::npos) << ran.errors;

    std::vector<Json> records;
    std::ifstream file(output);
    for (std::string line; std::getline(file, line);) records.push_back(Json::parse(line));
    ASSERT_EQ(records.size(), 5u);
    EXPECT_EQ(records[0]["assay"]["model"], "tiny-judge-Q8_0");
    records.erase(records.begin());
    // They are there in the order in which they were done.
    std::ranges::sort(records, {}, [](const Json& record) {
        const bool duplicate = record["warnings"].dump().find("duplicate") != std::string::npos;
        const std::vector<Json> order{"good", 7, "long"};
        return duplicate ? 3 : std::ranges::find(order, record["id"]) - order.begin();
    });
    EXPECT_EQ(records[0]["id"], "good");
    EXPECT_EQ(records[0]["tokens"]["generated"], 12);  // too few for a verdict of its own
    EXPECT_EQ(records[0]["parse"], "forced");
    double sum = 0;
    for (const auto& p : records[0]["probs"]) sum += p.get<double>();
    EXPECT_NEAR(sum, 1, 5 * 5e-7);  // each is rounded to 6 digits
    EXPECT_EQ(records[1]["id"], 7);
    EXPECT_EQ(records[1]["reason"], "invalid_item");
    EXPECT_TRUE(records[1]["score"].is_null());
    EXPECT_EQ(records[2]["reason"], "context_exceeded");
    EXPECT_EQ(records[3]["warnings"].back(), "duplicate_id");

    // All of them have their record, so the same again has nothing to do.
    const std::string content = read_file(output);
    const Ran again = run_assay(arguments);
    EXPECT_EQ(again.exit_code, 3);
    EXPECT_NE(again.errors.find("graded 2, unscored 2"), std::string::npos) << again.errors;
    EXPECT_EQ(read_file(output), content);
}

TEST(Drift, ComparesJudgesAndCaches) {
    const TemporaryFolder folder;
    const auto items = folder.write(
        "items.jsonl", item("good", "Yeast makes gas.") + "{}\n" + item("bad", "I cannot say."));
    const std::string output = folder.path() / "drift.json";
    const std::vector<std::string> arguments{"drift",
                                             "--reference",
                                             demo_file(),
                                             "--test",
                                             demo_file(),
                                             "--test",
                                             demo_file() + "@q8_0",
                                             "--test",
                                             demo_file() + "@f16@int8",
                                             "-i",
                                             items,
                                             "--max-new-tokens",
                                             "12",
                                             "-o",
                                             output};
    const Ran ran = run_assay(arguments);
    EXPECT_EQ(ran.exit_code, 3) << ran.errors;
    EXPECT_NE(ran.output.find("2 absolute, 0 relative, 1 unscored"), std::string::npos)
        << ran.output;
    EXPECT_NE(ran.output.find("line 2: "), std::string::npos) << ran.output;

    const Json report = Json::parse(read_file(output));
    EXPECT_EQ(report["reference"]["kv"], "f16");
    EXPECT_EQ(report["reference"]["unscored"][0]["reason"], "invalid_item");
    ASSERT_EQ(report["tests"].size(), 3u);
    const Json &same = report["tests"][0], &quantised = report["tests"][1],
               &by_bytes = report["tests"][2];
    EXPECT_EQ(by_bytes["kv"], "f16");
    EXPECT_EQ(by_bytes["activations"], "int8");
    EXPECT_EQ(same["activations"], "float");
    EXPECT_GT(by_bytes["kl_mean"], 0);
    EXPECT_LT(by_bytes["kl_mean"], 1e-2);
    EXPECT_EQ(same["kl_mean"], 0);
    EXPECT_EQ(same["token_agreement"], 1);
    EXPECT_EQ(quantised["kv"], "q8_0");
    EXPECT_GT(quantised["kl_mean"], 0);
    EXPECT_LT(quantised["kl_mean"], 1e-2);
    EXPECT_GT(quantised["bytes_by_format"]["q8_0"], 3'000'000);
    EXPECT_EQ(quantised["absolute"]["items"], 2);
    EXPECT_EQ(quantised["items"][1]["id"], "bad");

    const Ran again = run_assay(arguments);
    EXPECT_EQ(again.exit_code, 1);
    EXPECT_NE(again.errors.find("--force"), std::string::npos) << again.errors;
}

TEST(Grade, RefusesBytesThatItMayNotMultiply) {
    const Ran ran = run_assay({"grade", "--model", demo_file(), "--instruction", "Why?",
                               "--response", "So.", "--rubric", "helpfulness", "--activations",
                               "int8", "--disable", "dot", "-q"});
    EXPECT_EQ(ran.exit_code, 1);
    EXPECT_NE(ran.errors.find("--activations int8: switched off"), std::string::npos) << ran.errors;
}

TEST(Grade, SaysIfNoProductIsByBytes) {
    const std::string changes_nothing = "--activations int8 changes nothing";
    for (const auto& [model, said] : {std::pair{std::string("demo"), true}, {demo_file(), false}}) {
        const Ran ran = run_assay({"grade", "--model", model, "--instruction", "Why?", "--response",
                                   "So.", "--rubric", "helpfulness", "--activations", "int8"});
        EXPECT_EQ(ran.exit_code, 0) << ran.errors;
        EXPECT_EQ(ran.errors.find(changes_nothing) != ran.errors.npos, said) << ran.errors;
    }
}

TEST(Grade, ShowsOneItemToAPerson) {
    const TemporaryFolder folder;
    const std::string trace = folder.path() / "trace.json";
    const Ran ran = run_assay({"grade", "--model", demo_file(), "--instruction", "Why?",
                               "--response", "So.", "--response-b", "Sorry, I cannot help.",
                               "--rubric", "helpfulness", "--text", "--gpu-profile", trace});
    EXPECT_EQ(ran.exit_code, 0) << ran.errors;
    EXPECT_NE(ran.output.find("better: "), std::string::npos) << ran.output;
    EXPECT_NE(ran.output.find("confidence"), std::string::npos) << ran.output;
    EXPECT_NE(ran.errors.find("GB/s"), std::string::npos) << ran.errors;
    EXPECT_FALSE(read_json(trace)["traceEvents"].empty());
}

// A directory needs no tokenizer for this: the second has none.
class Logits : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(All, Logits, testing::Values("a_mistral_gqa", "b_mistral_window16"),
                         [](const auto& test) { return test.param; });

TEST_P(Logits, AreTheReferences) {
    const TemporaryFolder folder;
    const auto golden_folder = data("hf") / GetParam();
    const auto prompts = golden_prompts(read_json(golden_folder / "golden.json"), golden_folder);
    ASSERT_FALSE(prompts.empty());
    const auto prompt = std::ranges::max_element(
        prompts, {}, [](const GoldenPrompt& candidate) { return candidate.ids.size(); });
    const auto ids = folder.write("ids.json", Json(prompt->ids).dump());
    const std::size_t vocabulary = prompt->logits.size() / prompt->positions.size();

    const auto logits_of = [&](const std::vector<std::string>& extra) {
        const std::string output = folder.path() / "out.f32";
        std::vector<std::string> arguments{"logits",   "--model", golden_folder / "model",
                                           "--tokens", ids,       "-o",
                                           output,     "--kv",    "f32"};
        arguments.insert(arguments.end(), extra.begin(), extra.end());
        const Ran ran = run_assay(arguments);
        EXPECT_EQ(ran.exit_code, 0) << ran.errors;
        return read_floats(output);
    };
    const auto all = logits_of({}), last = logits_of({"--last"});
    ASSERT_EQ(all.size(), prompt->ids.size() * vocabulary);
    ASSERT_EQ(last.size(), vocabulary);

    const double tolerance = 1e-3 * deviation(prompt->logits);
    for (std::size_t row = 0; row < prompt->positions.size(); ++row)
        for (std::size_t i = 0; i < vocabulary; ++i)
            ASSERT_NEAR(all[prompt->positions[row] * vocabulary + i],
                        prompt->logits[row * vocabulary + i], tolerance)
                << "position " << prompt->positions[row];
    for (std::size_t i = 0; i < vocabulary; ++i)
        ASSERT_NEAR(last[i], all[all.size() - vocabulary + i], tolerance);
}

// The same bits, however the model lies.
TEST(Logits, AreTheSameOnTwoDevicesAndWithExpertsInHostMemory) {
    const TemporaryFolder folder;
    const auto ids = folder.write("ids.json", "[1, 5, 7, 11, 13, 17, 19, 23]");
    const auto logits = [&](std::vector<std::string> options) {
        const auto output = folder.path() / "out";
        options.insert(options.begin(), {"logits", "--model",
                                         data("gguf/c_mixtral_4x_top2/c_mixtral_4x_top2.Q8_0.gguf"),
                                         "--tokens", ids, "-o", output});
        const Ran ran = run_assay(options);
        EXPECT_EQ(ran.exit_code, 0) << ran.errors;
        return read_file(output);
    };
    const std::string plain = logits({});
    EXPECT_FALSE(plain.empty());
    EXPECT_EQ(logits({"--devices", "0,0"}), plain);
    EXPECT_EQ(logits({"--experts-on", "host"}), plain);
    const Ran both = run_assay({"info", demo_file(), "--device", "0", "--devices", "0,0"});
    EXPECT_EQ(both.exit_code, 2) << both.errors;
}

TEST(LogitsErrors, TokensTheModelLacksLeaveTheFileAsItWas) {
    const TemporaryFolder folder;
    const auto ids = folder.write("ids.json", "[1, 2560]"), output = folder.write("out", "kept");
    const Ran ran = run_assay({"logits", "--model", demo_file(), "--tokens", ids, "-o", output});
    EXPECT_EQ(ran.exit_code, 1);
    EXPECT_EQ(ran.errors,
              "assay: " + ids.string() + ": element 1: token id 2560, the model has 2560\n");
    EXPECT_EQ(read_file(output), "kept");
}

TEST(LogitsErrors, OutputMustNotBeTheInput) {
    const TemporaryFolder folder;
    const auto ids = folder.write("ids.json", "[1]");
    const Ran ran = run_assay({"logits", "--model", demo_file(), "--tokens", ids, "-o", ids});
    EXPECT_EQ(ran.exit_code, 2);
    EXPECT_EQ(read_file(ids), "[1]");
}

TEST(Bench, MeasuresAModel) {
    const Ran ran = run_assay({"bench", "model", "--model", demo_file(), "--prompt", "16",
                               "--generate", "4", "--repeats", "2", "--json", "--cold"});
    ASSERT_EQ(ran.exit_code, 0) << ran.errors;
    const Json results = Json::parse(ran.output);
    EXPECT_FALSE(results["start"]["pipeline_cache_found"].get<bool>());
    EXPECT_GT(results["start"]["compile_seconds"], 0);
    for (const char* rate : {"prefill_tokens_per_second", "decode_tokens_per_second"}) {
        EXPECT_GT(results[rate]["median"], 0);
        EXPECT_LE(results[rate]["least"], results[rate]["median"]);
    }
    EXPECT_GT(results["device_peak_bytes"], results["model"]["bytes"]);
    EXPECT_GT(results["host_peak_bytes"], 0);
}

TEST(Bench, MeasuresRows) {
    const Ran ran = run_assay({"bench", "rows", "--model", demo_file(), "--rows", "2-4", "--past",
                               "20", "--repeats", "2", "--json"});
    ASSERT_EQ(ran.exit_code, 0) << ran.errors;
    const Json results = Json::parse(ran.output);
    ASSERT_EQ(results["steps"].size(), 3u);
    EXPECT_TRUE(results["steps"][0]["ratio"].is_null());
    std::vector<double> ratios;
    for (std::size_t i = 0; i < 3; ++i) {
        const Json& step = results["steps"][i];
        EXPECT_EQ(step["rows"], 2 + i);
        EXPECT_GT(step["least"], 0);
        EXPECT_LE(step["least"], step["median"]);
        if (i > 0) ratios.push_back(step["ratio"]);
    }
    // Of 2 rows the third may take 1.5 times as long, of 3 the fourth 4 / 3 times.
    EXPECT_EQ(results["worst"]["rows"], ratios[0] / 1.5 >= ratios[1] / (4 / 3.0) ? 3 : 4);
}

TEST(Bench, MeasuresGrading) {
    const TemporaryFolder folder;
    const std::string file = folder.path() / "prompts.jsonl";
    const Ran ran =
        run_assay({"bench", "grading", "--model", demo_file(), "--shapes", "pairs,verdict-only",
                   "--at-once", "1,2", "--items", "2", "--json", "--prompts", file});
    ASSERT_EQ(ran.exit_code, 0) << ran.errors;
    const Json runs = Json::parse(ran.output)["runs"];
    ASSERT_EQ(runs.size(), 4u);
    for (std::size_t i = 0; i < 4; ++i) {
        const Json& run = runs[i];
        const bool pairs = i < 2;
        EXPECT_EQ(run["shape"], pairs ? "pairs" : "verdict-only");
        EXPECT_EQ(run["at_once"], i % 2 + 1);
        EXPECT_EQ(run["items"], 2);
        const double seconds = run["seconds"];
        EXPECT_NEAR(run["items_per_second"], 2 / seconds, 1e-6 / seconds);
        EXPECT_NEAR(run["written_tokens_per_second"], (pairs ? 4 * 100 : 0) / seconds,
                    1e-6 / seconds);
        // 230 tokens are common to all prompts, and 310 to those of a pair.
        EXPECT_NEAR(run["cached_share"],
                    pairs ? (310 + 230 + 310) / (4.0 * 500) : 230 / (2.0 * 1100), 2e-3);
    }

    std::vector<Json> prompts;
    for (const std::string& line : lines(read_file(file))) prompts.push_back(Json::parse(line));
    ASSERT_EQ(prompts.size(), 2 * 4u + 2 * 2u);  // at once 1 and 2: four of pairs, two of the other
    for (std::size_t i = 0; i < prompts.size(); ++i) {
        const bool pairs = i < 8;
        EXPECT_EQ(prompts[i]["shape"], pairs ? "pairs" : "verdict-only");
        EXPECT_EQ(prompts[i]["ids"].size(), pairs ? 500 : 1100);
        EXPECT_EQ(prompts[i]["written"], pairs ? 100 : 0);
        const std::size_t first = pairs ? i / 4 * 4 : 8 + (i - 8) / 2 * 2;  // of the same run
        for (std::size_t k = 0; k < 230; ++k)
            ASSERT_EQ(prompts[i]["ids"][k], prompts[first]["ids"][k]);
    }
}

TEST(Bench, CountsTheExpertsThatATokenReads) {
    const Ran ran = run_assay({"bench", "model", "--model", data("hf/c_mixtral_4x_top2/model"),
                               "--prompt", "4", "--generate", "2", "--repeats", "1", "--json"});
    ASSERT_EQ(ran.exit_code, 0) << ran.errors;
    const Json results = Json::parse(ran.output);
    // Without the embedding's 131072 and two of the four experts, which have 393216 in all.
    EXPECT_EQ(results["model"]["bytes"], 855296);
    EXPECT_EQ(results["bytes_read_per_token"], 855296 - 131072 - 393216 / 2);
}

}  // namespace
}  // namespace assay::test
