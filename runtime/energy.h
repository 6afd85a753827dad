#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "runtime/device.h"

namespace assay {

// What a system tells of a device's energy: a counter of joules, or the watts it draws now.
struct EnergySource {
    enum class Kind { joules, watts };

    std::string name;  // "hwmon energy1_input", "NVML", ...
    Kind kind = Kind::joules;
    std::function<double()> read;  // throws an Error where the system has stopped to tell
    double wraps_at = 0;           // joules after which a counter begins anew; 0: never
};

// The source for a device: of a GPU the sensors below its PCI address or NVIDIA's driver, of a CPU
// implementation the processor's packages (RAPL). `system` is where Linux shows its devices.
// nullopt where nothing tells, or not to this user.
std::optional<EnergySource> find_energy_source(const DeviceInfo& device,
                                               const std::filesystem::path& system = "/sys");

// Counts what a source tells from now on: it is read every 50 ms, by which watts become joules and
// no counter wraps unseen.
class EnergyMeter {
public:
    explicit EnergyMeter(EnergySource source);
    ~EnergyMeter();
    EnergyMeter(const EnergyMeter&) = delete;
    EnergyMeter& operator=(const EnergyMeter&) = delete;

    const std::string& source() const;
    // Since the meter was made; nullopt once the source has failed.
    std::optional<double> joules();

private:
    struct Counter;
    std::unique_ptr<Counter> counter_;
};

}  // namespace assay
