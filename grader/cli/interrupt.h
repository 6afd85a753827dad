#pragma once
#include <stdexcept>

namespace assay::cli {

// A signal that asked the program to end; main's exit code is 128 more than its number.
struct Interrupted : std::runtime_error {
    explicit Interrupted(int number) : std::runtime_error("interrupted"), signal(number) {}

    int signal;
};

// While it lives, SIGINT and SIGTERM end the program at the next check(), so that what is half done
// can be removed. There may be one at a time.
class Interruptible {
public:
    Interruptible();
    ~Interruptible();
    Interruptible(const Interruptible&) = delete;
    Interruptible& operator=(const Interruptible&) = delete;

    void check() const;  // throws Interrupted; may be called from any thread

private:
    void (*before_[2])(int);
};

}  // namespace assay::cli
