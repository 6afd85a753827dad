#include <algorithm>
#include <cstring>
#include <utility>

#include "runtime/error.h"
#include "runtime/vk/check.h"
#include "runtime/vk/context.h"
#include "runtime/vk/queries.h"

namespace assay::vk {
namespace {

constexpr const char* validation_layer = "VK_LAYER_KHRONOS_validation";

bool has_layer(const char* name) {
    const auto layers = list_all("vkEnumerateInstanceLayerProperties", VkLayerProperties{},
                                 vkEnumerateInstanceLayerProperties);
    return std::ranges::any_of(
        layers, [=](auto& layer) { return std::strcmp(layer.layerName, name) == 0; });
}

bool has_instance_extension(const char* name, const char* layer) {
    const auto extensions =
        list_all("vkEnumerateInstanceExtensionProperties", VkExtensionProperties{},
                 vkEnumerateInstanceExtensionProperties, layer);
    return std::ranges::any_of(extensions,
                               [=](auto& e) { return std::strcmp(e.extensionName, name) == 0; });
}

}  // namespace

Instance::Instance(bool validation) {
    const VkApplicationInfo application{.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                        .pNext = nullptr,
                                        .pApplicationName = "assay",
                                        .applicationVersion = 1,
                                        .pEngineName = "assay",
                                        .engineVersion = 1,
                                        .apiVersion = VK_API_VERSION_1_3};

    std::vector<const char*> layers, extensions;
    if (validation) {
        if (!has_layer(validation_layer))
            throw Error(std::string("validation was asked for, but the layer ") + validation_layer +
                        " is not installed");
        layers.push_back(validation_layer);
    }
    debug_names_ =
        has_instance_extension(VK_EXT_DEBUG_UTILS_EXTENSION_NAME, nullptr) ||
        (validation && has_instance_extension(VK_EXT_DEBUG_UTILS_EXTENSION_NAME, validation_layer));
    if (debug_names_) extensions.push_back(VK_EXT_DEBUG_UTILS_EXTENSION_NAME);

    // Older layers read the features, newer ones the settings; the heuristic lets synchronisation
    // validation look at what shaders access through descriptors.
    const VkValidationFeatureEnableEXT enabled =
        VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT;
    VkValidationFeaturesEXT features{.sType = VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT,
                                     .pNext = nullptr,
                                     .enabledValidationFeatureCount = 1,
                                     .pEnabledValidationFeatures = &enabled,
                                     .disabledValidationFeatureCount = 0,
                                     .pDisabledValidationFeatures = nullptr};
    const VkBool32 yes = VK_TRUE;
    const VkLayerSettingEXT settings[] = {
        {validation_layer, "validate_sync", VK_LAYER_SETTING_TYPE_BOOL32_EXT, 1, &yes},
        {validation_layer, "syncval_shader_accesses_heuristic", VK_LAYER_SETTING_TYPE_BOOL32_EXT, 1,
         &yes},
    };
    const VkLayerSettingsCreateInfoEXT layer_settings{
        .sType = VK_STRUCTURE_TYPE_LAYER_SETTINGS_CREATE_INFO_EXT,
        .pNext = nullptr,
        .settingCount = 2,
        .pSettings = settings};
    const void* next = nullptr;
    if (validation &&
        has_instance_extension(VK_EXT_LAYER_SETTINGS_EXTENSION_NAME, validation_layer)) {
        extensions.push_back(VK_EXT_LAYER_SETTINGS_EXTENSION_NAME);
        next = &layer_settings;
    } else if (validation && has_instance_extension(VK_EXT_VALIDATION_FEATURES_EXTENSION_NAME,
                                                    validation_layer)) {
        extensions.push_back(VK_EXT_VALIDATION_FEATURES_EXTENSION_NAME);
        next = &features;
    }

    const VkInstanceCreateInfo create{
        .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
        .pNext = next,
        .flags = 0,
        .pApplicationInfo = &application,
        .enabledLayerCount = static_cast<std::uint32_t>(layers.size()),
        .ppEnabledLayerNames = layers.data(),
        .enabledExtensionCount = static_cast<std::uint32_t>(extensions.size()),
        .ppEnabledExtensionNames = extensions.data()};
    const VkResult result = vkCreateInstance(&create, nullptr, &instance_);
    if (result == VK_ERROR_INCOMPATIBLE_DRIVER)
        throw Error(
            "no Vulkan device: no driver is installed (a GPU's own, or mesa-vulkan-drivers for the "
            "CPU)");
    check_result(result, "vkCreateInstance");

    if (!validation) return;
    const VkDebugUtilsMessengerCreateInfoEXT messenger{
        .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
        .pNext = nullptr,
        .flags = 0,
        .messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT |
                           VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
        .messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_GENERAL_BIT_EXT |
                       VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT,
        .pfnUserCallback = collect,
        .pUserData = this};
    auto create_messenger = reinterpret_cast<PFN_vkCreateDebugUtilsMessengerEXT>(
        vkGetInstanceProcAddr(instance_, "vkCreateDebugUtilsMessengerEXT"));
    check(create_messenger(instance_, &messenger, nullptr, &messenger_));
}

Instance::~Instance() {
    if (messenger_)
        reinterpret_cast<PFN_vkDestroyDebugUtilsMessengerEXT>(vkGetInstanceProcAddr(
            instance_, "vkDestroyDebugUtilsMessengerEXT"))(instance_, messenger_, nullptr);
    if (instance_) vkDestroyInstance(instance_, nullptr);
}

VkBool32 Instance::collect(VkDebugUtilsMessageSeverityFlagBitsEXT, VkDebugUtilsMessageTypeFlagsEXT,
                           const VkDebugUtilsMessengerCallbackDataEXT* data, void* self) {
    auto& instance = *static_cast<Instance*>(self);
    const std::lock_guard lock(instance.mutex_);
    instance.messages_.emplace_back(data->pMessage);
    return VK_FALSE;
}

std::vector<std::string> Instance::take_messages() {
    const std::lock_guard lock(mutex_);
    return std::exchange(messages_, {});
}

std::vector<VkPhysicalDevice> Instance::physical_devices() const {
    return list_all("vkEnumeratePhysicalDevices", VkPhysicalDevice{}, vkEnumeratePhysicalDevices,
                    instance_);
}

}  // namespace assay::vk
