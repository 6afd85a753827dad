#pragma GCC diagnostic ignored "-Wall"
#pragma GCC diagnostic ignored "-Wextra"
#define VMA_IMPLEMENTATION
#include "runtime/vk/vma.h"
