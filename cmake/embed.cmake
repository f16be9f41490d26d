# SPDX-License-Identifier: Apache-2.0
# rondo_embed(<target> <folder>): the files of a folder become part of the program. The target gets
#   #include <assets.hpp>     // namespace assets { std::string_view find(std::string_view path); }
function(rondo_embed target folder)
    file(GLOB_RECURSE files CONFIGURE_DEPENDS "${folder}/*")
    set(out "${CMAKE_BINARY_DIR}/embed/${target}")
    add_custom_command(OUTPUT "${out}/assets.cpp" "${out}/assets.hpp"
        COMMAND "${Python3_EXECUTABLE}" "${CMAKE_SOURCE_DIR}/tools/embed" "${folder}" "${out}"
        DEPENDS ${files} "${CMAKE_SOURCE_DIR}/tools/embed"
        COMMENT "Embedding the assets of ${target}" VERBATIM)
    target_sources(${target} PRIVATE "${out}/assets.cpp" "${out}/assets.hpp")
    target_include_directories(${target} PRIVATE "${out}")
endfunction()
