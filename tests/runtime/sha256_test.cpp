#include "runtime/sha256.h"

#include <gtest/gtest.h>

#include <string>

namespace assay {
namespace {

// FIPS 180-2, appendix B.
TEST(Sha256, IsTheStandards) {
    Sha256 none, abc, million;
    abc.add("abc");
    for (int i = 0; i < 1000; ++i) million.add(std::string(1000, 'a'));
    EXPECT_EQ(none.finish(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(abc.finish(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(million.finish(), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

}  // namespace
}  // namespace assay
