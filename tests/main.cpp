#include <gtest/gtest.h>

namespace assay::test {
void install_listeners();  // support/devices.cpp
}

int main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    assay::test::install_listeners();
    return RUN_ALL_TESTS();
}
