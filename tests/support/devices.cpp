#include "tests/support/devices.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace assay::test {
namespace {

std::unique_ptr<Device> opened[2];

Device& open(bool bound) {
    auto& slot = opened[bound ? 1 : 0];
    if (!slot) {
        const char* select = std::getenv("ASSAY_TEST_DEVICE");
        DeviceOptions options;
        options.select = select ? select : "";
        options.validation = true;
        options.bound_kernels = bound ? bound_kernels() : std::span<const Spirv>{};
        slot = std::make_unique<Device>(options);
    }
    return *slot;
}

class ValidationIsFatal : public testing::EmptyTestEventListener {
    void OnTestEnd(const testing::TestInfo&) override {
        for (auto& slot : opened)
            if (slot)
                for (const std::string& message : slot->take_validation_messages())
                    ADD_FAILURE() << "validation: " << message;
    }
    void OnTestProgramEnd(const testing::UnitTest&) override {
        for (auto& slot : opened) slot.reset();
    }
};

}  // namespace

Device& device() { return open(false); }
Device& bound_device() { return open(true); }

void install_listeners() {
    testing::UnitTest::GetInstance()->listeners().Append(new ValidationIsFatal);
}

}  // namespace assay::test
