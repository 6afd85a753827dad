#include "grader/cli/interrupt.h"

#include <gtest/gtest.h>

#include <csignal>

namespace assay::cli {
namespace {

TEST(Interruptible, ThrowsTheSignalAtTheNextCheck) {
    const auto before = std::signal(SIGTERM, SIG_IGN);
    {
        const Interruptible interruptible;
        EXPECT_NO_THROW(interruptible.check());
        std::raise(SIGTERM);
        try {
            interruptible.check();
            FAIL() << "not interrupted";
        } catch (const Interrupted& interrupted) {
            EXPECT_EQ(interrupted.signal, SIGTERM);
        }
    }
    EXPECT_EQ(std::signal(SIGTERM, before), SIG_IGN);  // as it was
    EXPECT_NO_THROW(Interruptible().check());
}

}  // namespace
}  // namespace assay::cli
