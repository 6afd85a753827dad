# kernel(<folder>/<name> [AXIS value...]...) compiles <name>.comp once per combination of axis values,
# with <AXIS>_<VALUE> defined; kernel_library(<target>) embeds every variant declared so far.
#
# Each variant is compiled twice: once with its buffers reached by address, which is what runs, and once
# with them bound through descriptors (BOUND), which is what the validation layers can see into.
find_program(GLSLANG NAMES glslang glslangValidator HINTS ${ASSAY_PLATFORM_DIR}/bin REQUIRED)
find_program(SPIRV_OPT spirv-opt HINTS ${ASSAY_PLATFORM_DIR}/bin REQUIRED)
find_program(SPIRV_VAL spirv-val HINTS ${ASSAY_PLATFORM_DIR}/bin REQUIRED)
set_property(GLOBAL PROPERTY KERNEL_MANIFEST "")

add_executable(bind_params bind.cpp)
add_executable(embed_kernels embed.cpp)
file(GLOB KERNEL_HEADERS CONFIGURE_DEPENDS */*.h)
set(KERNEL_BINDINGS ${CMAKE_CURRENT_BINARY_DIR}/bindings.glsl)
add_custom_command(OUTPUT ${KERNEL_BINDINGS}
    COMMAND bind_params ${KERNEL_BINDINGS} ${KERNEL_HEADERS} DEPENDS bind_params ${KERNEL_HEADERS} VERBATIM)

function(compile_kernel build shader name defines)
    set(spv ${CMAKE_CURRENT_BINARY_DIR}/${build}/${name}.spv)
    set(bindings "")
    if(build STREQUAL "bound")  # those by address do not change with another kernel's parameters
        set(bindings ${KERNEL_BINDINGS})
    endif()
    add_custom_command(OUTPUT ${spv}
        COMMAND ${GLSLANG} -V --target-env vulkan1.3 --quiet ${defines} -I${CMAKE_CURRENT_BINARY_DIR} -I${CMAKE_CURRENT_SOURCE_DIR}
                --depfile ${spv}.d -o ${spv} ${CMAKE_CURRENT_SOURCE_DIR}/${shader}.comp
        COMMAND ${SPIRV_OPT} --target-env=vulkan1.3 -O ${spv} -o ${spv}
        COMMAND ${SPIRV_VAL} --target-env vulkan1.3 --scalar-block-layout ${spv}
        DEPENDS ${shader}.comp ${bindings} DEPFILE ${spv}.d COMMENT "Compiling ${build}/${name}" VERBATIM)
    set_property(GLOBAL APPEND PROPERTY KERNEL_BINARIES ${spv})
endfunction()

function(kernel shader)
    get_filename_component(family ${shader} DIRECTORY)
    get_filename_component(name ${shader} NAME)
    set(variants " ")                       # space-separated AXIS=value lists; one blank for none
    foreach(word ${ARGN})
        if(word MATCHES "^[A-Z]+$")
            string(CONCAT axis ${word})
            set(base "${variants}")
            set(variants "")
        else()
            foreach(v ${base})
                list(APPEND variants "${v}${axis}=${word} ")
            endforeach()
        endif()
    endforeach()
    foreach(variant ${variants})
        string(STRIP "${variant}" variant)
        string(REGEX REPLACE " *[A-Z]+=" "." suffix "${variant}")
        string(TOUPPER "${variant}" defines)
        string(REGEX REPLACE "([A-Z]+)=([A-Z0-9_]+)" "-D\\1_\\2" defines "${defines}")
        separate_arguments(defines)
        compile_kernel(addressed ${shader} ${name}${suffix} "${defines}")
        compile_kernel(bound ${shader} ${name}${suffix} "${defines};-DBOUND")
        set_property(GLOBAL APPEND_STRING PROPERTY KERNEL_MANIFEST "${family} ${name} ${name}${suffix}.spv ${variant}\n")
    endforeach()
endfunction()

# <target> holds the addressed kernels and their typed handles, <target>_bound the bound ones.
function(kernel_library target)
    get_property(manifest GLOBAL PROPERTY KERNEL_MANIFEST)
    get_property(binaries GLOBAL PROPERTY KERNEL_BINARIES)
    set(here ${CMAKE_CURRENT_BINARY_DIR})
    file(GENERATE OUTPUT ${here}/manifest.txt CONTENT "${manifest}")
    add_custom_command(OUTPUT ${here}/kernels.gen.h ${here}/kernels.gen.cpp ${here}/bound_kernels.gen.cpp
        COMMAND embed_kernels ${here} ${KERNEL_HEADERS}
        DEPENDS embed_kernels ${binaries} ${here}/manifest.txt ${KERNEL_HEADERS} VERBATIM)
    add_library(${target} ${here}/kernels.gen.cpp ${here}/kernels.gen.h)
    add_library(${target}_bound ${here}/bound_kernels.gen.cpp ${here}/kernels.gen.h)
    target_include_directories(${target} PUBLIC ${here} ${CMAKE_SOURCE_DIR})
    target_link_libraries(${target}_bound PUBLIC ${target})
endfunction()
