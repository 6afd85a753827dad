#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdlib>

#include "model/merge/arithmetic.h"
#include "tests/model/merge/cases.h"

// Results of mergekit, the supermario script and PEFT: which versions is in the notes of the
// reference folder's cases.
namespace assay::test {
namespace {

namespace fs = std::filesystem;

bool is_trap(const MergeCase& merge) { return merge.name.starts_with("err-"); }

MergeOptions options_for(const MergeCase& merge) {
    MergeOptions options;
    options.threads = 2;
    options.hash_inputs = false;
    if (is_trap(merge)) options.plan.allowed = all_allowances();
    if (merge.note.contains("seed")) {
        options.seed = merge.note["seed"];
        options.numpy_draws = true;
    }
    return options;
}

void expect_same(const std::map<std::string, std::string>& got,
                 const std::map<std::string, std::string>& wanted) {
    EXPECT_EQ(got.size(), wanted.size());
    for (const auto& [name, hash] : wanted) {
        const auto found = got.find(name);
        if (found == got.end())
            ADD_FAILURE() << name << " is not there";
        else
            EXPECT_EQ(found->second, hash) << name;
    }
}

// All cases of one kind whose inputs are there. A Mixtral's are done with experts fused and apart.
void expect_bit_exact(bool from_here) {
    const MergeInputs inputs;
    int done = 0;
    for (const MergeCase& merge : merge_cases()) {
        const std::string config = merge.note.value("config", "");
        const bool here =
            config.find("mixtral") == config.npos && config.find("-f32") == config.npos;
        if (merge.note["compare"] != "bit-exact" || here != from_here ||
            !inputs.has_all_of(merge) || merge.note.contains("calls"))
            continue;
        SCOPED_TRACE(merge.name);
        const TemporaryFolder folder;
        MergeOptions options = options_for(merge);
        options.source.fuse_experts = merge.note.contains("per_expert");
        expect_same(hashes_of(merged(inputs, config, options, folder.path())), merge.hashes());
        ++done;
        if (!merge.note.contains("per_expert")) continue;
        options.source.fuse_experts = false;
        expect_same(hashes_of(merged(inputs, config, options, folder.path())),
                    merge.hashes("per_expert"));
    }
    EXPECT_EQ(done, from_here ? 30 : 8);
}

TEST(MergeGolden, IsBitExact) { expect_bit_exact(true); }

TEST(MergeGolden, IsBitExactInF32AndOfExperts) {
    if (!reference_folder()) GTEST_SKIP() << "no reference folder";
    expect_bit_exact(false);
}

TEST(MergeGolden, FollowsTheScriptsOrderOfDraws) {
    const MergeInputs inputs;
    const MergeCase merge = merge_case("supermario-mistral-script-order");
    std::vector<NumpyMasks::Draws> order;
    for (const auto& call : merge.note["calls"])
        order.push_back({call[0].get<std::size_t>() - 1, call[1], call[2], 0.1});
    NumpyMasks masks(merge.note["seed"], order);
    MergeOptions options = options_for(merge);
    options.masks = &masks;
    const TemporaryFolder folder;
    expect_same(hashes_of(merged(inputs, merge.note["config"], options, folder.path())),
                merge.hashes());
}

// ---- masks of DARE

// Bits, the lowest first, of tensor after tensor, of one model after the other.
class StoredMasks : public Masks {
public:
    StoredMasks(const std::string& name, const fs::path& model)
        : bits_(read_file(data("merge") / (name + ".masks"))) {
        std::uint64_t at = 0;
        for (const auto& [tensor, bytes] : tensors_of(model)) {
            const std::uint64_t elements = bytes.size() / 2;
            places_[tensor] = {at, elements};
            at += 2 * elements;
        }
    }
    void prepare(const std::string& tensor, std::uint64_t) override { place_ = places_.at(tensor); }
    void draw(std::size_t model, double, std::uint64_t begin,
              std::span<float> mask) const override {
        for (std::size_t i = 0; i < mask.size(); ++i) {
            const std::uint64_t bit = place_.first + model * place_.second + begin + i;
            mask[i] = static_cast<float>(bits_[bit / 8] >> bit % 8 & 1);
        }
    }

private:
    std::string bits_;
    std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> places_;
    std::pair<std::uint64_t, std::uint64_t> place_;
};

TEST(MergeGolden, IsBitExactWithTheReferencesMasks) {
    const MergeInputs inputs;
    for (const auto& [name, of] :
         {std::pair{"dare-linear-03-norescale", "dare-linear-03-norescale"},
          {"dare-linear-05", "dare-linear-05"},
          {"dare-linear-05-divide-by-density", "dare-linear-05-divide-by-density"},
          {"dare-ties-05", "dare-linear-05"}}) {
        SCOPED_TRACE(name);
        const MergeCase merge = merge_case(name);
        StoredMasks masks(of, inputs.folder() / "inputs/mistral-bf16/base");
        MergeOptions options = options_for(merge);
        options.masks = &masks;
        if (merge.note.contains("rescale")) options.plan.rescale = Rescale::density;
        const TemporaryFolder folder;
        expect_same(hashes_of(merged(inputs, merge.note["config"], options, folder.path())),
                    merge.hashes());
    }
}

double bf16_at(const std::string& bytes, std::size_t i) {
    float value = 0;
    decode(Format::bf16, reinterpret_cast<const std::byte*>(bytes.data()) + 2 * i, {&value, 1});
    return static_cast<double>(value);
}

// Our random numbers are others: what they lead to has the reference's means and deviations.
TEST(MergeGolden, HasTheReferencesStatisticsWithOwnMasks) {
    const auto reference = reference_folder();
    if (!reference) GTEST_SKIP() << "no reference folder";
    const MergeInputs inputs;
    const auto base = tensors_of(inputs.folder() / "inputs/mistral-bf16/base");
    for (const MergeCase& merge : merge_cases()) {
        if (merge.note["compare"] != "statistical") continue;
        SCOPED_TRACE(merge.name);
        MergeOptions options = options_for(merge);
        options.seed = 7;
        if (merge.note.contains("rescale")) options.plan.rescale = Rescale::density;
        const TemporaryFolder folder;
        const auto got = tensors_of(merged(inputs, merge.note["config"], options, folder.path()));
        const auto note =
            nlohmann::json::parse(read_file(*reference / "cases" / merge.name / "note.json"));
        for (const auto& [tensor, statistics] : note["output_statistics"].items()) {
            double changed = 0, mean = 0, l1 = 0, l2 = 0;
            const std::string &x = got.at(tensor), &y = base.at(tensor);
            const std::size_t n = x.size() / 2;
            for (std::size_t i = 0; i < n; ++i) {
                const double difference = bf16_at(x, i) - bf16_at(y, i);
                changed += difference != 0;
                mean += difference / static_cast<double>(n);
                l1 += std::abs(difference);
                l2 += difference * difference;
            }
            changed /= static_cast<double>(n);
            for (const auto& [key, value] : {std::pair{"changed_fraction", changed},
                                             {"mean_out_minus_base", mean},
                                             {"l1_out_minus_base", l1},
                                             {"l2_out_minus_base", std::sqrt(l2)}}) {
                const auto& bounds = statistics[key]["bounds"];
                EXPECT_GE(value, bounds[0].get<double>()) << tensor << " " << key;
                EXPECT_LE(value, bounds[1].get<double>()) << tensor << " " << key;
            }
        }
    }
}

// ---- within a tolerance

// At most one step of bf16 in a share of a tensor's elements.
void expect_near_bf16(const std::string& got, const std::string& wanted, double share) {
    ASSERT_EQ(got.size(), wanted.size());
    std::size_t other = 0;
    for (std::size_t i = 0; i + 1 < got.size(); i += 2) {
        std::int16_t a = 0, b = 0;
        std::memcpy(&a, &got[i], 2);
        std::memcpy(&b, &wanted[i], 2);
        EXPECT_LE(std::abs(a - b), 1) << "element " << i / 2;
        other += a != b;
    }
    EXPECT_LE(static_cast<double>(other), share * static_cast<double>(got.size() / 2));
}

TEST(MergeGolden, InterpolatesAsTheReference) {
    const MergeInputs inputs;
    const auto reference = reference_folder();
    for (const char* name : {"slerp-05", "slerp-gradient"}) {
        SCOPED_TRACE(name);
        const MergeCase merge = merge_case(name);
        const TemporaryFolder folder;
        const fs::path made =
            merged(inputs, merge.note["config"], options_for(merge), folder.path());
        const auto got = tensors_of(made), hashes = hashes_of(made);
        const auto wanted = reference ? tensors_of(*reference / "cases" / name / "out")
                                      : std::map<std::string, std::string>{};
        for (const auto& [tensor, hash] : merge.hashes()) {
            SCOPED_TRACE(tensor);
            if (merge.note["branches"][tensor] == "lerp")
                EXPECT_EQ(hashes.at(tensor), hash);
            else if (reference)
                expect_near_bf16(got.at(tensor), wanted.at(tensor), 0.005);
        }
    }
}

TEST(MergeGolden, FoldsAdaptersAsTheReference) {
    const auto reference = reference_folder();
    const MergeInputs inputs;
    for (const auto& [name, rounding] : {std::pair{"lora-bf16-adapter-bf16", LoraRounding::once},
                                         {"lora-bf16-adapter-bf16-noautocast", LoraRounding::all},
                                         {"lora-bf16-adapter-f32", LoraRounding::once},
                                         {"lora-bf16-adapter-f32-safe", LoraRounding::delta},
                                         {"lora-f32", LoraRounding::once},
                                         {"lora-mixtral", LoraRounding::once}}) {
        SCOPED_TRACE(name);
        const MergeCase merge = merge_case(name);
        if (!inputs.has_all_of(merge)) continue;
        const MergeSource source(
            {inputs.located(merge.note["base"]), inputs.located(merge.note["adapter"])},
            {.lora_rounding = rounding});
        const auto hashes = merge.hashes();
        const auto wanted = reference ? tensors_of(*reference / "cases" / name / "out")
                                      : std::map<std::string, std::string>{};
        ASSERT_EQ(source.tensors().size(), hashes.size());
        for (const SourceTensor& tensor : source.tensors()) {
            SCOPED_TRACE(tensor.name);
            const LoadedTensor loaded = source.load(tensor, 2);
            const std::string got(reinterpret_cast<const char*>(loaded.data.data()),
                                  loaded.data.size());
            // Sums of four products in f32 are those of any order but for the last bit or so.
            if (!reference) {
                EXPECT_EQ(sha256(got), hashes.at(tensor.name));
                continue;
            }
            const std::string& want = wanted.at(tensor.name);
            if (tensor.format == Format::bf16) {
                expect_near_bf16(got, want, 0.001);
                continue;
            }
            for (std::size_t i = 0; i < got.size(); i += sizeof(float)) {
                float x = 0, y = 0;
                std::memcpy(&x, &got[i], sizeof x);
                std::memcpy(&y, &want[i], sizeof y);
                EXPECT_LE(std::abs(x - y), 2.4e-7f * std::abs(y) + 2e-9f) << i;
            }
        }
    }
}

// ---- what fails

TEST(MergeGolden, RefusesWhatTheReferenceRefuses) {
    const std::map<std::string, std::vector<std::string>> reasons{
        {"err-bad-dtype", {"config:7", "dtype: bf16", "bfloat16"}},
        {"err-base-not-in-models-linear", {"base_model", "no weight"}},
        {"err-density-negative-dare", {"abs", "density -0.5"}},
        {"err-density-small-ties", {"model.layers.0.input_layernorm.weight", "0.01", "64"}},
        {"err-density-zero-ties", {"density 0.0"}},
        {"err-missing-key-task-arithmetic", {"rel-missing", "model.layers.1.mlp.down_proj.weight"}},
        {"err-missing-key", {"rel-missing", "model.layers.1.mlp.down_proj.weight"}},
        {"err-missing-weight-linear", {"rel", "has no weight"}},
        {"err-missing-weight-ties", {"abs", "has no weight"}},
        {"err-mixed-architectures", {"MixtralForCausalLM", "MistralForCausalLM"}},
        {"err-model-path-absent", {"mistral-bf16/nothing"}},
        {"err-models-and-slices", {"both models and slices"}},
        {"err-no-base-slerp", {"base_model: not given", "slerp"}},
        {"err-no-base-task-arithmetic", {"base_model: not given"}},
        {"err-no-models", {"neither models nor slices"}},
        {"err-shape-mismatch-linear", {"up_proj", "84 x 64", "80 x 64"}},
        {"err-shape-mismatch-slerp", {"up_proj", "84 x 64", "80 x 64"}},
        {"err-slerp-missing-t", {"has no t"}},
        {"err-slerp-three-models", {"3 models", "slerp needs 2"}},
        {"err-slice-layer-count-mismatch", {"1 layers", "2"}},
        {"err-unknown-method", {"merge_method: dare", "dare_linear"}},
        {"err-vocab-smaller-task-arithmetic", {"248 x 64", "256 x 64"}},
        {"err-weight-string", {"config:5", "weight: heavy"}}};
    const MergeInputs inputs;
    const TemporaryFolder folder;
    std::size_t done = 0;
    for (const MergeCase& merge : merge_cases()) {
        if (!merge.note.value("fails", false)) continue;
        SCOPED_TRACE(merge.name);
        ASSERT_TRUE(reasons.contains(merge.name));
        ++done;
        if (!inputs.has_all_of(merge)) continue;
        expect_error(
            [&] { merged(inputs, merge.note["config"], options_for(merge), folder.path()); },
            reasons.at(merge.name));
    }
    EXPECT_EQ(done, reasons.size());
    EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(MergeGolden, RefusesWhatTheReferenceSwallowsUnlessAllowed) {
    const std::map<std::string, std::vector<std::string>> reasons{
        {"err-density-above-one-ties", {"density 1.5", "unless density is allowed"}},
        {"err-density-zero-dare", {"density 0.0", "unless density is allowed"}},
        {"err-extra-key", {"model.layers.0.extra.weight", "unless extra-tensors is allowed"}},
        {"err-missing-lm-head", {"lm_head.weight", "unless missing-lm-head is allowed"}},
        {"err-same-model-twice-1-1", {"config:4", "listed twice", "unless same-model-twice"}},
        {"err-same-model-twice", {"config:4", "listed twice", "unless same-model-twice"}},
        {"err-shape-mismatch-task-arithmetic", {"84 x 64", "80 x 64", "unless shapes is allowed"}},
        {"err-unknown-parameter", {"config:8", "wieght", "unless unknown-keys is allowed"}},
        {"err-unknown-top-level-key", {"config:8", "merge_methd", "unless unknown-keys"}},
        {"err-vocab-larger-linear", {"264 x 64", "unless shapes is allowed"}},
        {"err-vocab-larger-task-arithmetic", {"264 x 64", "unless shapes is allowed"}},
        {"err-weights-sum-zero-linear", {"sum to 0", "unless zero-weights is allowed"}}};
    const MergeInputs inputs;
    const TemporaryFolder folder;
    std::size_t done = 0;
    for (const MergeCase& merge : merge_cases()) {
        if (!is_trap(merge) || merge.note.value("fails", false)) continue;
        SCOPED_TRACE(merge.name);
        ASSERT_TRUE(reasons.contains(merge.name));
        ++done;
        MergeOptions options = options_for(merge);
        options.plan.allowed = {};
        expect_error([&] { merged(inputs, merge.note["config"], options, folder.path()); },
                     reasons.at(merge.name));
    }
    EXPECT_EQ(done, reasons.size());
    EXPECT_TRUE(fs::is_empty(folder.path()));
}

// x / 0 of the reference: no element is a number.
TEST(MergeGolden, DividesByZeroIfAllowed) {
    const MergeInputs inputs;
    const MergeCase merge = merge_case("err-weights-sum-zero-linear");
    const TemporaryFolder folder;
    for (const auto& [tensor, bytes] :
         tensors_of(merged(inputs, merge.note["config"], options_for(merge), folder.path())))
        for (std::size_t i = 0; i < bytes.size() / 2; ++i)
            ASSERT_FALSE(std::isfinite(bf16_at(bytes, i))) << tensor << " " << i;
}

}  // namespace
}  // namespace assay::test
