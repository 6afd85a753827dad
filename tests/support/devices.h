#pragma once
#include "runtime/device.h"
#include "runtime/stream.h"

namespace assay::test {

// The device under test (ASSAY_TEST_DEVICE as --device takes it; else the fastest), with the
// validation layers on. Any message of theirs fails the test during which it came. One device lives
// for the whole program.
Device& device();

// The same device running the build of the kernels whose buffers are bound through descriptors,
// which the synchronisation validation can see into.
Device& bound_device();

// Both, for tests that loop over them.
inline Device& device(bool bound) { return bound ? bound_device() : device(); }

}  // namespace assay::test
