# SPDX-License-Identifier: Apache-2.0
# rondo_embed(<target> <folder> [<place>]): the files of a folder become part of the target, which gets
#   #include <assets.hpp>            // namespace assets { std::string_view find(std::string_view path); }
#   #include <rondo/admin/assets.hpp>  // namespace rondo::cli::assets: the place is rondo/cli
function(rondo_embed target folder)
    file(GLOB_RECURSE files CONFIGURE_DEPENDS "${folder}/*")
    set(out "${CMAKE_BINARY_DIR}/embed/${target}")
    string(JOIN "/" header ${ARGN} assets.hpp)
    add_custom_command(OUTPUT "${out}/assets.cpp" "${out}/${header}"
        COMMAND "${Python3_EXECUTABLE}" "${CMAKE_SOURCE_DIR}/tools/embed" "${folder}" "${out}" ${ARGN}
        DEPENDS ${files} "${CMAKE_SOURCE_DIR}/tools/embed"
        COMMENT "Embedding the assets of ${target}" VERBATIM)
    # `assets` makes them all, for tools that read sources without building them.
    if(NOT TARGET assets)
        add_custom_target(assets)
    endif()
    add_custom_target(${target}_assets DEPENDS "${out}/assets.cpp" "${out}/${header}")
    add_dependencies(assets ${target}_assets)
    target_sources(${target} PRIVATE "${out}/assets.cpp" "${out}/${header}")
    target_include_directories(${target} PRIVATE "${out}")
endfunction()
