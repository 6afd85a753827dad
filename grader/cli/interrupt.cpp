#include "grader/cli/interrupt.h"

#include <csignal>

namespace assay::cli {
namespace {

constexpr int signals[] = {SIGINT, SIGTERM};
volatile std::sig_atomic_t caught = 0;

void remember(int signal) { caught = signal; }

}  // namespace

Interruptible::Interruptible() {
    caught = 0;
    for (int i = 0; i < 2; ++i) before_[i] = std::signal(signals[i], remember);
}

Interruptible::~Interruptible() {
    for (int i = 0; i < 2; ++i) std::signal(signals[i], before_[i]);
}

void Interruptible::check() const {
    if (caught != 0) throw Interrupted(caught);
}

}  // namespace assay::cli
