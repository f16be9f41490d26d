# SPDX-License-Identifier: Apache-2.0
# fuzz/<name>_fuzz.cpp is the libFuzzer target <name>_fuzz; its corpus in the tree is fuzz/corpus/<name>/.
# It is linked only with the folders it includes, so that the target of a parser does not depend on the server.
file(GLOB targets CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/fuzz/*_fuzz.cpp")
foreach(source IN LISTS targets)
    get_filename_component(name "${source}" NAME_WE)
    add_executable(${name} "${source}")
    target_link_libraries(${name} PRIVATE rondo_build)
    file(STRINGS "${source}" lines REGEX "#include <rondo/[a-z]+/")
    foreach(line IN LISTS lines)
        string(REGEX REPLACE "#include <rondo/([a-z]+)/.*" "rondo_\\1" folder "${line}")
        target_link_libraries(${name} PRIVATE ${folder})
    endforeach()
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${source}")
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
endforeach()
