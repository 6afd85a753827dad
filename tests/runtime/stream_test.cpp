#include "runtime/stream.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "runtime/error.h"
#include "tests/support/tensors.h"

namespace assay {
namespace {

// x, in a different order: the plainest dispatch that depends on another.
Tensor reversed(Stream& s, const Tensor& x) {
    std::vector<std::uint32_t> rows(x.rows());
    std::iota(rows.rbegin(), rows.rend(), 0u);
    return ops::gather(s, x, test::upload(s, rows, {x.rows(), 1, 1}));
}

std::unique_ptr<Device> bound_device_without_barriers() {
    DeviceOptions options;
    options.validation = true;
    options.bound_kernels = bound_kernels();
    options.omit_barriers = true;
    return std::make_unique<Device>(options);
}

// Whether the synchronisation validation has named this hazard. Layers differ in what stands
// between its words.
bool complains_of(Device& device, const std::string& hazard) {
    const auto messages = device.take_validation_messages();
    return std::ranges::any_of(messages, [&](std::string message) {
        std::ranges::replace(message, '-', '_');
        return message.find(hazard) != std::string::npos;
    });
}

// Pairs of commands that need a barrier between them.
void read_after_write(Stream& s, const Tensor& x) { reversed(s, reversed(s, x)); }

void write_after_read(Stream& s, const Tensor& x) {
    const Tensor a = s.scratch(x.rows(), x.row_size()), b = s.scratch(x.rows(), x.row_size());
    const std::vector<std::uint32_t> zeros(x.rows());
    const Tensor rows = test::upload(s, zeros, {x.rows(), 1, 1});
    s.dispatch(kernels::gather().specialize(32),
               {.x = a, .rows = rows, .y = b, .dim = x.row_size()}, {.x = x.rows()});
    s.dispatch(kernels::gather().specialize(32),
               {.x = x, .rows = rows, .y = a, .dim = x.row_size()}, {.x = x.rows()});
}

void write_after_write(Stream& s, const Tensor& x) {
    const Tensor y = s.scratch(x.rows(), x.row_size());
    const std::vector<std::uint32_t> zeros(x.rows());
    const Tensor rows = test::upload(s, zeros, {x.rows(), 1, 1});
    for (int i = 0; i < 2; ++i)
        s.dispatch(kernels::gather().specialize(32),
                   {.x = x, .rows = rows, .y = y, .dim = x.row_size()}, {.x = x.rows()});
}

void copy_after_write(Stream& s, const Tensor& x) {
    static std::vector<float> values;
    values.resize(x.size());
    s.download(reversed(s, x), std::span(values));
}

void write_into_reused_scratch(Stream& s, const Tensor& x) {
    {
        auto scratch = s.scope();
        reversed(s, reversed(s, x));
    }
    reversed(s, x);
}

struct DependentPair {
    void (*record)(Stream&, const Tensor& x);
    std::string hazard;  // without a barrier
    bool reported = true;
};
const DependentPair dependent_pairs[] = {
    {read_after_write, "READ_AFTER_WRITE"},
    {write_after_read, "WRITE_AFTER_READ"},
    {write_after_write, "WRITE_AFTER_WRITE", false},  // layers take two kernels' writes to one
                                                      // buffer for intended
    {copy_after_write, "READ_AFTER_WRITE"},
    {write_into_reused_scratch, "WRITE_AFTER_READ"},
};

}  // namespace

// The bound build of the kernels is there for this: what the synchronisation validation would say
// of a barrier left out.
TEST(Stream, MissingBarrierIsNoticed) {
    const auto device = bound_device_without_barriers();
    for (const DependentPair& pair : dependent_pairs) {
        if (!pair.reported) continue;
        Stream s(*device);
        const std::vector<float> x(64, 1.0f);
        pair.record(s, test::upload(s, x, {8, 8, 1}));
        s.wait();
        EXPECT_TRUE(complains_of(*device, pair.hazard)) << pair.hazard;
    }
}

TEST(Stream, BarriersAreWhereTheyAreDue) {
    for (const DependentPair& pair : dependent_pairs) {
        Stream s(test::bound_device());
        const std::vector<float> x(64, 1.0f);
        pair.record(s, test::upload(s, x, {8, 8, 1}));
        s.wait();
        EXPECT_TRUE(test::bound_device().take_validation_messages().empty()) << pair.hazard;
    }
}

TEST(Stream, GuardNoticesWritesBeyondAScratchTensor) {
    Stream s(test::device(), {.guard = true});
    const std::vector<float> x(64, 1.0f);
    const std::vector<std::uint32_t> rows{0};
    const Tensor y = s.scratch(1, 63);
    s.dispatch(kernels::gather().specialize(32),
               {.x = test::upload(s, x, {1, 64, 1}),
                .rows = test::upload(s, rows, {1, 1, 1}),
                .y = y,
                .dim = 64},
               {.x = 1});
    EXPECT_THROW(s.wait(), Error);
}

TEST(Stream, RefusesWhatOnlyABugCanAskFor) {
    Stream s(test::device());
    std::vector<float> x(64, 1.0f);
    const Tensor on_device = test::upload(s, x, {8, 8, 1});
    EXPECT_THROW(s.download(on_device, std::span(x).first(63)), std::logic_error);
    EXPECT_THROW(reversed(s, Tensor{0, {8, 8, 1}}), std::logic_error);  // an address in no buffer
}

TEST(Stream, SkipsDispatchesOfNothing) {
    Stream s(test::device());
    s.dispatch(kernels::gather().specialize(32), {}, {.x = 0});
    s.wait();
}

// More dispatches than a command buffer has room for descriptors or timestamps.
TEST(Stream, RecordsLongStreams) {
    for (bool bound : {false, true}) {
        Stream s(test::device(bound), {.profile = true, .guard = true});
        std::vector<float> x(8);
        std::iota(x.begin(), x.end(), 0.0f);
        constexpr int dispatches = 2101;
        Tensor y = test::upload(s, x, {8, 1, 1});
        for (int i = 0; i < dispatches; ++i) y = reversed(s, y);
        const auto actual = test::download(s, y);
        EXPECT_GT(static_cast<std::uint64_t>(s.submit()), 1u);
        s.wait();
        std::ranges::reverse(x);
        EXPECT_EQ(actual, x);
        ASSERT_EQ(s.profile().size(), dispatches);
        EXPECT_TRUE(std::ranges::is_sorted(s.profile(), {}, &ProfileEvent::start_seconds));
        EXPECT_TRUE(std::ranges::all_of(s.profile(), [](const ProfileEvent& e) {
            return e.kernel == "gather" && e.seconds >= 0;
        }));
        s.clear_profile();
        EXPECT_TRUE(s.profile().empty());
    }
}

// Desktop drivers kill what runs for seconds, so a stream is submitted in pieces by what it is said
// to cost.
TEST(Stream, SubmitsLongWorkInPieces) {
    Stream s(test::device());
    const std::vector<float> x(8);
    const std::vector<std::uint32_t> rows{0};
    const Tensor from = test::upload(s, x, {1, 8, 1}), row = test::upload(s, rows, {1, 1, 1}),
                 y = s.scratch(1, 8);
    for (int i = 0; i < 5; ++i)
        s.dispatch(kernels::gather().specialize(32), {.x = from, .rows = row, .y = y, .dim = 8},
                   {.x = 1}, {.bytes = 0, .flops = 1e15});
    EXPECT_EQ(static_cast<std::uint64_t>(s.submit()), 5u);
    s.wait();
}

TEST(Stream, CarriesUploadsOfEverySize) {
    for (bool bound : {false, true}) {
        Stream s(test::device(bound));
        test::Random random(12);
        for (int step = 0; step < 2; ++step) {  // the second reuses what the first has left
            // 24 MB is more than a block of 16 MiB, the others fill what is left of theirs.
            std::vector<std::vector<float>> sent, received;
            for (std::uint32_t size : {1u, 1000000u, 3000000u, 6000000u, 64u, 2000000u}) {
                sent.emplace_back(size);
                for (float& value : sent.back()) value = static_cast<float>(random.bits() >> 8);
                received.push_back(test::download(s, test::upload(s, sent.back(), {size, 1, 1})));
            }
            s.wait();
            EXPECT_TRUE(sent == received) << "step " << step;
        }
    }
}

TEST(Stream, ReusesScratchWhenItsScopeEnds) {
    Stream s(test::bound_device());
    const std::vector<float> x{0, 1, 2, 3};
    const Tensor from = test::upload(s, x, {4, 1, 1});
    std::uint64_t first = 0;
    std::vector<std::vector<float>> results;
    for (int i = 0; i < 20; ++i) {
        auto scratch = s.scope();
        const Tensor once = reversed(s, from);
        if (i == 0) first = once.address;
        EXPECT_EQ(once.address, first);
        results.push_back(test::download(s, i % 2 ? reversed(s, once) : once));
    }
    s.wait();
    for (std::size_t i = 0; i < results.size(); ++i)
        EXPECT_EQ(results[i],
                  (i % 2 ? std::vector<float>{0, 1, 2, 3} : std::vector<float>{3, 2, 1, 0}));
    EXPECT_LE(s.scratch_peak_bytes(), 1024u);
}

TEST(Stream, WaitsForATicket) {
    Stream s(test::device());
    std::vector<float> x{0, 1, 2, 3};
    auto first = test::download(s, reversed(s, test::upload(s, x, {4, 1, 1})));
    const Ticket ticket = s.submit();
    const auto second = test::download(s, reversed(s, test::upload(s, x, {4, 1, 1})));
    s.wait(ticket);
    s.wait();
    std::ranges::reverse(x);
    EXPECT_EQ(first, x);
    EXPECT_EQ(second, x);
}

}  // namespace assay
