#include "model/engine/speculation.h"

#include <gtest/gtest.h>

namespace assay {
namespace {

using Tokens = std::vector<TokenId>;

TEST(Speculation, GuessesWhatFollowedTheLongestMatch) {
    EXPECT_EQ(guess_next(Tokens{1, 2, 3, 4, 9, 1, 2}, 3), (Tokens{3, 4, 9}));
    EXPECT_EQ(guess_next(Tokens{1, 2, 3, 4, 9, 1, 2}, 1), (Tokens{3}));
    // The longer match counts, though a shorter one is nearer.
    EXPECT_EQ(guess_next(Tokens{5, 1, 2, 7, 8, 1, 2, 6, 5, 1, 2}, 2), (Tokens{7, 8}));
    // Of equals the last one.
    EXPECT_EQ(guess_next(Tokens{1, 2, 3, 1, 2, 4, 1, 2}, 1), (Tokens{4}));
    // It may reach into itself.
    EXPECT_EQ(guess_next(Tokens{8, 8, 8}, 4), (Tokens{8}));
    EXPECT_EQ(guess_next(Tokens{1, 2, 3}, 4), Tokens{});
    EXPECT_EQ(guess_next(Tokens{1}, 4), Tokens{});
    EXPECT_EQ(guess_next(Tokens{1, 2, 1, 2}, 0), Tokens{});
}

TEST(Speculation, IsOffWhereItDoesNotPay) {
    for (const bool pays : {false, true}) {
        GuessingRate rate;
        int guessed = 0;
        for (int step = 0; step < 1000; ++step) {
            const bool guess = rate.pays();
            guessed += guess;
            // A step with guesses takes twice as long, and brings one or three tokens.
            rate.add(guess, guess ? 2 : 1, guess && pays ? 3 : 1);
        }
        if (pays)
            EXPECT_GT(guessed, 950);
        else
            EXPECT_LT(guessed, 50);
    }
}

}  // namespace
}  // namespace assay
