#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "runtime/device.h"

namespace assay {

// What a driver tells of the code it made of a kernel, by its own names: "VGPRs", "Spill Count".
struct ExecutableStatistic {
    std::string name;
    std::variant<bool, std::int64_t, std::uint64_t, double> value;
};

// A driver may make several of a kernel and choose among them at each dispatch.
struct Executable {
    std::string name;
    std::uint32_t subgroup_size = 0;  // 0: not told
    std::vector<ExecutableStatistic> statistics;
};

// Of a kernel that has run with these constants. Nothing where the driver does not tell, or if
// DeviceOptions::executable_statistics is off.
std::vector<Executable> executables(Device& device, std::string_view kernel,
                                    const Constants& constants);

}  // namespace assay
