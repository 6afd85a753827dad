#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "model/checkpoint.h"
#include "tests/cli/program.h"
#include "tests/model/merge/cases.h"
#include "tests/support/golden.h"
#include "tests/support/judge_folder.h"
#include "tests/support/paths.h"

namespace assay::test {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

class MergeCommand : public testing::Test {
protected:
    std::string write(const std::string& first, const std::string& second,
                      const std::string& more = "") const {
        return folder_.write(
            "merge.yml",
            inputs_.located(
                "models:\n"
                "  - {model: inputs/mistral-bf16/abs, parameters: {weight: " +
                first + "}}\n  - {model: inputs/mistral-bf16/rel, parameters: {weight: " + second +
                "}}\nmerge_method: linear\ndtype: bfloat16\n" + more));
    }
    fs::path out() const { return folder_.path() / "out"; }

    MergeInputs inputs_;
    TemporaryFolder folder_;
};

TEST_F(MergeCommand, WritesAModel) {
    const Ran ran = run_assay({"merge", write("0.3", "0.7"), out(), "--json"});
    ASSERT_EQ(ran.exit_code, 0) << ran.errors;
    const Json made = Json::parse(ran.output);
    EXPECT_EQ(made["folder"], out().string());
    EXPECT_EQ(made["tensors"], 21);
    EXPECT_EQ(made["bytes"], 176768);
    EXPECT_EQ(made["bytes_read"], 2 * 176768);
    EXPECT_EQ(made["arithmetic"], "mergekit");
    EXPECT_EQ(hashes_of(out()), merge_case("linear-03-07").hashes());
    const Ran again = run_assay({"merge", write("0.3", "0.7"), out()});
    EXPECT_EQ(again.exit_code, 1);
    EXPECT_NE(again.errors.find("is there already"), std::string::npos) << again.errors;
}

TEST_F(MergeCommand, SaysWhatItDid) {
    const Ran ran = run_assay({"merge", write("1", "1"), out(), "--precise"});
    ASSERT_EQ(ran.exit_code, 0) << ran.errors;
    EXPECT_NE(ran.output.find("out: 21 tensors"), std::string::npos) << ran.output;
    EXPECT_NE(ran.output.find("GB/s"), std::string::npos) << ran.output;
    EXPECT_NE(ran.output.find("configuration and tokenizer of "), std::string::npos) << ran.output;
    EXPECT_EQ(Json::parse(read_file(out() / "assay_merge.json"))["arithmetic"], "precise");
}

TEST_F(MergeCommand, Sweeps) {
    const std::vector<std::string> command{"merge",   write("$a", "1-$a"), out(),
                                           "--sweep", "a=0.3:0.7:0.4",     "--json"};
    const Ran ran = run_assay(command);
    ASSERT_EQ(ran.exit_code, 0) << ran.errors;
    const Json points = Json::parse(ran.output)["points"];
    ASSERT_EQ(points.size(), 2);
    EXPECT_EQ(points[0]["name"], "a-0.3");
    EXPECT_EQ(points[0]["value"], 0.3);
    EXPECT_EQ(points[0]["model"], (out() / "a-0.3").string());
    EXPECT_EQ(points[0]["merge"]["tensors"], 21);
    EXPECT_EQ(hashes_of(out() / "a-0.3"), merge_case("linear-03-07").hashes());
    EXPECT_TRUE(fs::exists(out() / "a-0.7/model.safetensors"));
}

TEST_F(MergeCommand, GoesOnWithASweep) {
    const std::string config = write("$a", "1-$a");
    const auto sweep = [&](const std::string& range, const std::vector<std::string>& more = {}) {
        std::vector<std::string> command{"merge", config, out(), "--sweep", range, "--json"};
        command.insert(command.end(), more.begin(), more.end());
        return run_assay(command);
    };
    ASSERT_EQ(sweep("a=0.3:0.3:1").exit_code, 0);
    const auto before = fs::last_write_time(out() / "a-0.3/model.safetensors");
    const Ran rest = sweep("a=0.3:0.7:0.4");
    ASSERT_EQ(rest.exit_code, 0) << rest.errors;
    EXPECT_TRUE(Json::parse(rest.output)["points"][0]["merge"].is_null());
    EXPECT_TRUE(Json::parse(rest.output)["points"][1]["merge"].is_object());
    EXPECT_EQ(fs::last_write_time(out() / "a-0.3/model.safetensors"), before);
    // Of another merge, or of none: nothing is begun.
    const Ran other = sweep("a=0.1:0.3:0.2", {"--precise"});
    EXPECT_EQ(other.exit_code, 1);
    EXPECT_NE(other.errors.find("a-0.3.json: is of another merge"), std::string::npos)
        << other.errors;
    folder_.write("out/a-0.5/precious", "kept");
    const Ran taken = sweep("a=0.1:0.5:0.4");
    EXPECT_EQ(taken.exit_code, 1);
    EXPECT_NE(taken.errors.find("a-0.5: is there already"), std::string::npos) << taken.errors;
    EXPECT_FALSE(fs::exists(out() / "a-0.1"));
}

// ---- of a judge that can grade

class JudgeMerge : public testing::Test {
protected:
    static void SetUpTestSuite() {
        folder = std::make_unique<TemporaryFolder>();
        write_judge(folder->path() / "one");
        write_judge(folder->path() / "other", 1.1f);
    }
    static void TearDownTestSuite() { folder.reset(); }

    std::string write(const std::string& first, const std::string& second) const {
        const auto model = [&](const char* name, const std::string& weight) {
            return "  - {model: " + (folder->path() / name).string() +
                   ", parameters: {weight: " + weight + "}}\n";
        };
        return own_.write("judges.yml", "models:\n" + model("one", first) + model("other", second) +
                                            "merge_method: linear\ndtype: bfloat16\n");
    }
    fs::path out() const { return own_.path() / "out"; }

    static std::unique_ptr<TemporaryFolder> folder;  // of judges, in the form of Hugging Face
    TemporaryFolder own_;
};
std::unique_ptr<TemporaryFolder> JudgeMerge::folder;

std::vector<float> logits_of(const std::string& model, const fs::path& folder) {
    std::vector<int> ids{1};
    for (int i = 1; i < 40; ++i) ids.push_back(300 + 7 * i);
    const fs::path tokens = folder / "ids.json", to = folder / "logits.f32";
    std::ofstream(tokens) << Json(ids);
    const Ran ran =
        run_assay({"logits", "--model", model, "--tokens", tokens, "-o", to, "--kv", "f32", "-q"});
    EXPECT_EQ(ran.exit_code, 0) << ran.errors;
    return read_floats(to);
}

TEST_F(JudgeMerge, IsQuantisedAtOnce) {
    const std::string config = write("0.5", "0.5"), merged = own_.path() / "merged.gguf",
                      plain = own_.path() / "plain.gguf";
    const Ran ran = run_assay({"merge", config, merged, "--then-quantize", "q8_0", "--json"});
    ASSERT_EQ(ran.exit_code, 0) << ran.errors;
    EXPECT_EQ(Json::parse(ran.output)["file"], merged);
    EXPECT_EQ(Json::parse(ran.output)["quantised"]["bytes"], fs::file_size(merged));
    EXPECT_EQ(std::distance(fs::directory_iterator(own_.path()), {}), 2);
    ASSERT_EQ(run_assay({"merge", config, out(), "-q"}).exit_code, 0);
    // The tensors that quantising the merged model gives, byte for byte.
    ASSERT_EQ(run_assay({"quantize", out(), plain, "--type", "q8_0", "-q"}).exit_code, 0);
    const Checkpoint one(merged), other(plain);
    ASSERT_EQ(one.tensors().size(), other.tensors().size());
    for (const FileTensor& tensor : one.tensors())
        EXPECT_TRUE(std::ranges::equal(tensor.data, other.tensor(tensor.name).data)) << tensor.name;
    // A weight of q8_0 is off by up to 1/254 of the greatest of its 32, about 1 % of one of usual
    // size; that is what may be left in sums of many, and every layer adds to it.
    const auto exact = logits_of(out(), own_.path()), near = logits_of(merged, own_.path());
    ASSERT_EQ(exact.size(), near.size());
    ASSERT_FALSE(exact.empty());
    std::vector<float> differences;
    for (std::size_t i = 0; i < exact.size(); ++i) differences.push_back(near[i] - exact[i]);
    EXPECT_LT(deviation(differences), 0.03 * deviation(exact));
    EXPECT_GT(deviation(differences), 0);
}

TEST_F(JudgeMerge, IsKeptIfItCannotBeQuantised) {
    const std::string config = write("0.5", "0.5");
    fs::create_directory(out());
    for (const std::string& to : {out().string(), out().string() + "/"}) {
        const Ran ran = run_assay({"merge", config, to, "--then-quantize", "q8_0"});
        EXPECT_EQ(ran.exit_code, 1);
        EXPECT_EQ(ran.errors.find("merging"), std::string::npos) << ran.errors;
    }
    for (const char* name : {"config.json", "model.safetensors"}) {
        fs::create_directories(own_.path() / "broken");
        fs::create_symlink(folder->path() / "one" / name, own_.path() / "broken" / name);
    }
    own_.write("broken/tokenizer.model", "none");
    const std::string broken =
        own_.write("broken.yml", "models: [{model: " + (own_.path() / "broken").string() +
                                     "}]\nmerge_method: linear\nparameters: {weight: 1}\n");
    const Ran ran = run_assay({"merge", broken, own_.path() / "x.gguf", "--then-quantize", "q8_0"});
    EXPECT_EQ(ran.exit_code, 1);
    EXPECT_NE(ran.errors.find("the merged model is kept as"), std::string::npos) << ran.errors;
    EXPECT_TRUE(fs::exists(own_.path() / "x.gguf.merged/model.safetensors"));
    EXPECT_FALSE(fs::exists(own_.path() / "x.gguf"));
}

TEST_F(JudgeMerge, IsMeasuredOverASweep) {
    const std::string records =
        own_.write("hhh.json", read_file(data("eval/hhh_alignment_eval.json")));
    const auto sweep = [&](const std::string& range, const std::vector<std::string>& more = {}) {
        std::vector<std::string> command{"merge",    write("$weight", "1-$weight"),
                                         out(),      "--sweep",
                                         range,      "--eval",
                                         "hhh",      "--data",
                                         records,    "--verdict-only",
                                         "--mode",   "r2r",
                                         "--orders", "ab"};
        command.insert(command.end(), more.begin(), more.end());
        return run_assay(command);
    };
    const Ran ran = sweep("weight=0:1:1", {"--keep", "best", "--json"});
    ASSERT_EQ(ran.exit_code, 0) << ran.errors;
    const Json made = Json::parse(ran.output);
    ASSERT_EQ(made["points"].size(), 2);
    const auto accuracy = [](const Json& evaluation) {
        for (const Json& figure : evaluation["figures"])
            if (figure["metric"] == "r2r.accuracy") return figure;
        return Json();
    };
    double best = 0;
    for (const Json& point : made["points"]) {
        EXPECT_EQ(point["evaluation"]["judge"], point["name"]);
        EXPECT_EQ(point["evaluation"]["records_read"], 3);
        EXPECT_EQ(accuracy(point["evaluation"])["n"], 3);
        best = std::max(best, accuracy(point["evaluation"])["value"].get<double>());
        EXPECT_EQ(point["model"].is_null(), point["name"] != made["best"]) << point;
    }
    const Json kept = *std::ranges::find_if(
        made["points"], [&](const Json& point) { return point["name"] == made["best"]; });
    EXPECT_EQ(accuracy(kept["evaluation"])["value"], best);

    // What assay eval says of the model that was kept.
    const Ran alone =
        run_assay({"eval", "--model", kept["model"], "--benchmark", "hhh", "--data", records,
                   "--verdict-only", "--mode", "r2r", "--orders", "ab", "--json"});
    ASSERT_EQ(alone.exit_code, 0) << alone.errors;
    EXPECT_EQ(kept["evaluation"]["figures"],
              Json::parse(alone.output)["evaluations"][0]["figures"]);

    // Nothing is done twice, though one of the models is gone.
    const Ran again = sweep("weight=0:1:1", {"--keep", "best", "--json"});
    ASSERT_EQ(again.exit_code, 0) << again.errors;
    EXPECT_EQ(again.errors.find("graded"), std::string::npos) << again.errors;
    for (std::size_t i = 0; i < 2; ++i) {
        const Json point = Json::parse(again.output)["points"][i];
        EXPECT_TRUE(point["merge"].is_null());
        EXPECT_EQ(point["evaluation"], made["points"][i]["evaluation"]);
    }
    // A table, with a point that is new.
    const Ran more = sweep("weight=0:0.25:0.25");
    ASSERT_EQ(more.exit_code, 0) << more.errors;
    EXPECT_NE(more.output.find("r2r.accuracy"), std::string::npos) << more.output;
    EXPECT_NE(more.output.find("95 % interval"), std::string::npos) << more.output;
    EXPECT_NE(more.output.find("\n  weight-0.25 "), std::string::npos) << more.output;
    EXPECT_NE(more.output.find("best by r2r.accuracy: weight-0"), std::string::npos) << more.output;
}

TEST_F(MergeCommand, RefusesOptionsThatServeNothing) {
    const std::string config = write("$a", "1-$a");
    for (const std::vector<std::string>& more :
         std::vector<std::vector<std::string>>{{"--eval", "hhh", "--data", "x"},
                                               {"--sweep", "a=0:1:1", "--eval", "hhh"},
                                               {"--sweep", "a=0:1:1", "--data", "x"},
                                               {"--sweep", "a=0:1:1", "--keep", "none"},
                                               {"--sweep", "a=0:1:1", "--runs", "2"},
                                               {"-p", "0.1"}}) {
        std::vector<std::string> command{"merge", config, out()};
        command.insert(command.end(), more.begin(), more.end());
        const Ran ran = run_assay(command);
        EXPECT_EQ(ran.exit_code, 2) << more[0] << ": " << ran.errors;
    }
    const Ran absent = run_assay(
        {"merge", config, out(), "--sweep", "a=0:1:1", "--eval", "hhh", "--data", "absent.json"});
    EXPECT_EQ(absent.exit_code, 1);
    EXPECT_NE(absent.errors.find("absent.json"), std::string::npos) << absent.errors;
    EXPECT_FALSE(fs::exists(out()));
    const std::string linear = write("1", "1");
    EXPECT_EQ(run_assay({"merge", linear, out(), "--seed", "3"}).exit_code, 2);
    for (const auto& [option, value, reason] :
         {std::array{"--rescale", "density", "linear: nothing is rescaled"},
          {"--fuse-experts", "-q", "has no experts"}}) {
        const Ran ran = run_assay({"merge", linear, out(), option, value});
        EXPECT_EQ(ran.exit_code, 1);
        EXPECT_NE(ran.errors.find(reason), std::string::npos) << ran.errors;
    }
    EXPECT_FALSE(fs::exists(out()));
}

TEST_F(MergeCommand, ReadsTheSupermarioScriptsList) {
    const MergeCase merge = merge_case("supermario-mistral");
    const std::string model = inputs_.located("inputs/mistral-bf16/");
    const std::string list =
        folder_.write("mergelist.txt", model + "base\n" + model + "abs \r\n\n" + model + "rel");
    const Ran ran = run_assay({"merge", list, out(), "-p", "0.1", "--lambda", "1.95", "--seed",
                               "1234", "--random-numbers", "numpy", "--no-hashes", "-q"});
    ASSERT_EQ(ran.exit_code, 0) << ran.errors;
    EXPECT_EQ(hashes_of(out()), merge.hashes());
    const std::string wrong = folder_.write("wrong.txt", "base\none two\n");
    const Ran refused = run_assay({"merge", wrong, folder_.path() / "no"});
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_NE(refused.errors.find("wrong.txt:2: one two"), std::string::npos) << refused.errors;
}

TEST_F(MergeCommand, TakesTheNumbersOfTheSupermarioScript) {
    const MergeCase merge = merge_case("supermario-mistral");
    const std::string config = folder_.write("list.yml", inputs_.located(merge.note["config"]));
    const Ran ran = run_assay({"merge", config, out(), "--seed", "1234", "--random-numbers",
                               "numpy", "--no-hashes", "-q"});
    ASSERT_EQ(ran.exit_code, 0) << ran.errors;
    EXPECT_EQ(ran.output + ran.errors, "");
    EXPECT_EQ(hashes_of(out()), merge.hashes());
    EXPECT_EQ(Json::parse(read_file(out() / "assay_merge.json"))["seed"], 1234);
}

TEST_F(MergeCommand, AllowsWhatIsNamed) {
    const std::string config = write("1", "1", "typo: 1\n");
    const Ran refused = run_assay({"merge", config, out()});
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_NE(refused.errors.find("merge.yml:6: typo: unknown key"), std::string::npos)
        << refused.errors;
    const Ran allowed = run_assay({"merge", config, out(), "--allow", "unknown-keys,shapes"});
    EXPECT_EQ(allowed.exit_code, 0) << allowed.errors;
    const Ran wrong = run_assay({"merge", config, out(), "--allow", "everything"});
    EXPECT_EQ(wrong.exit_code, 2);
}

}  // namespace
}  // namespace assay::test
