#pragma once

namespace assay::cli {

// Starts the program anew under scripts/with-lavapipe when this machine has no GPU and that script
// is there. scripts/setup keeps a newer lavapipe than many distributions do; it needs its own C
// library, hence its own process. Returns when there is nothing to do, which includes an installed
// program, far from its source tree.
void move_to_lavapipe_without_gpu(char** argv);

}  // namespace assay::cli
