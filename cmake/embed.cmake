# SPDX-License-Identifier: Apache-2.0
# rondo_embed(<target> <folder> [<prefix>]): embeds the files of a folder into the target, which can then use
#   #include <assets.hpp>              // without a prefix: namespace assets { std::string_view find(std::string_view path); }
#   #include <rondo/admin/assets.hpp>  // with the prefix rondo/admin: namespace rondo::admin::assets
function(rondo_embed target folder)
    file(GLOB_RECURSE files CONFIGURE_DEPENDS "${folder}/*")
    set(out "${CMAKE_BINARY_DIR}/embed/${target}")
    string(JOIN "/" header ${ARGN} assets.hpp)
    add_custom_command(OUTPUT "${out}/assets.cpp" "${out}/${header}"
        COMMAND "${Python3_EXECUTABLE}" "${CMAKE_SOURCE_DIR}/tools/embed" "${folder}" "${out}" ${ARGN}
        DEPENDS ${files} "${CMAKE_SOURCE_DIR}/tools/embed"
        COMMENT "Embedding the assets of ${target}" VERBATIM)
    # The target `assets` generates all of them, for tools that read sources without building them.
    if(NOT TARGET assets)
        add_custom_target(assets)
    endif()
    add_custom_target(${target}_assets DEPENDS "${out}/assets.cpp" "${out}/${header}")
    add_dependencies(assets ${target}_assets)
    target_sources(${target} PRIVATE "${out}/assets.cpp" "${out}/${header}")
    target_include_directories(${target} PRIVATE "${out}")
endfunction()
