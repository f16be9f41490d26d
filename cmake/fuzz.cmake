# SPDX-License-Identifier: Apache-2.0
# fuzz/<name>_fuzz.cpp is the libFuzzer target <name>_fuzz; its kept corpus is fuzz/corpus/<name>/.
file(GLOB targets CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/fuzz/*_fuzz.cpp")
foreach(source IN LISTS targets)
    get_filename_component(name "${source}" NAME_WE)
    add_executable(${name} "${source}")
    target_link_libraries(${name} PRIVATE rondo rondo_build)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
endforeach()
