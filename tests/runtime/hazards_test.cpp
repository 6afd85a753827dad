#include "runtime/hazards.h"

#include <gtest/gtest.h>

namespace assay {
namespace {

constexpr MemoryAccess read(std::uint64_t begin, std::uint64_t end) {
    return {begin, end, true, false};
}
constexpr MemoryAccess write(std::uint64_t begin, std::uint64_t end) {
    return {begin, end, false, true};
}
constexpr MemoryAccess change(std::uint64_t begin, std::uint64_t end) {
    return {begin, end, true, true};
}

}  // namespace

TEST(Hazards, AreWhereOneOfTwoOverlappingAccessesWrites) {
    struct Case {
        const char* name;
        MemoryAccess first, second;
        bool due;
    };
    constexpr Case cases[] = {
        {"read after write", write(100, 200), read(100, 200), true},
        {"write after read", read(100, 200), write(100, 200), true},
        {"write after write", write(100, 200), write(100, 200), true},
        {"change after change", change(100, 200), change(100, 200), true},
        {"change after read", read(100, 200), change(100, 200), true},
        {"read after read", read(100, 200), read(100, 200), false},
        {"apart", write(100, 200), read(300, 400), false},
        {"behind it", write(100, 200), read(200, 300), false},
        {"before it", write(100, 200), write(0, 100), false},
        {"its last byte", write(100, 200), read(199, 300), true},
        {"its first byte", write(100, 200), read(0, 101), true},
        {"inside it", write(100, 200), read(150, 151), true},
        {"around it", write(100, 200), read(0, 300), true},
    };
    for (const Case& c : cases) {
        Hazards hazards;
        EXPECT_FALSE(hazards.barrier_before({c.first})) << c.name;
        EXPECT_EQ(hazards.barrier_before({c.second}), c.due) << c.name;
    }
}

TEST(Hazards, LookAtEveryEarlierCommand) {
    Hazards hazards;
    EXPECT_FALSE(hazards.barrier_before({read(0, 100), write(100, 200)}));
    EXPECT_FALSE(hazards.barrier_before({read(0, 100), write(200, 300)}));
    EXPECT_FALSE(hazards.barrier_before({read(0, 100), write(300, 400)}));
    EXPECT_TRUE(hazards.barrier_before({read(100, 101), write(400, 500)}));
}

TEST(Hazards, AreSettledByOneBarrier) {
    Hazards hazards;
    EXPECT_FALSE(hazards.barrier_before({write(0, 100)}));
    EXPECT_FALSE(hazards.barrier_before({write(100, 200)}));
    EXPECT_TRUE(hazards.barrier_before({read(0, 100), write(200, 300)}));
    EXPECT_FALSE(hazards.barrier_before({read(100, 200)}));  // written before the barrier
    EXPECT_TRUE(hazards.barrier_before({read(200, 300)}));   // written by the command behind it
}

// A command's own accesses are no hazard: a kernel may read what it writes.
TEST(Hazards, AreBetweenCommands) {
    Hazards hazards;
    EXPECT_FALSE(hazards.barrier_before({read(0, 100), write(0, 100)}));
    EXPECT_TRUE(hazards.barrier_before({read(0, 100), write(0, 100)}));
}

TEST(Hazards, AreForgottenWhenCleared) {
    Hazards hazards;
    EXPECT_FALSE(hazards.barrier_before({write(0, 100)}));
    hazards.clear();
    EXPECT_FALSE(hazards.barrier_before({read(0, 100)}));
}

}  // namespace assay
