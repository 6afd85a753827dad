#pragma once

namespace assay {

class Device;

// Bytes a second, read and written together, of copies between two buffers of device memory. Takes
// 128 MiB of it for the time being; throws an Error if they are not there.
double measure_copy_rate(Device& device);

}  // namespace assay
