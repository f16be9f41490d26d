# SPDX-License-Identifier: Apache-2.0
# Programs are found by their path:
#   examples/<name>/*.cpp   one program <name>
#   bench/<name>/*.cpp      one program <name> if there is a main.cpp, else one program per source
#   bench/*.cpp             one program per source
#   tests/testbed/*.cpp     the program testbed
# Sanitizer builds have only the testbed. A folder <program>/assets is embedded (cmake/embed.cmake). Additional packages are
# listed in layers.toml, [programs].
set(RONDO_PROGRAM_TARGETS "")

function(rondo_program name folder)
    add_executable(${name} ${ARGN})
    target_link_libraries(${name} PRIVATE rondo_program_build)
    if(TARGET rondo)
        target_link_libraries(${name} PRIVATE rondo::rondo)
    endif()
    string(MAKE_C_IDENTIFIER "rondo_packages_of_${folder}" packages)
    rondo_package(${name} fmt ${${packages}})
    if(IS_DIRECTORY "${CMAKE_SOURCE_DIR}/${folder}/assets")
        rondo_embed(${name} "${CMAKE_SOURCE_DIR}/${folder}/assets")
    endif()
endfunction()

function(rondo_program_folder folder)
    get_filename_component(name "${folder}" NAME)
    rondo_sources(sources "${CMAKE_SOURCE_DIR}/${folder}")
    if(NOT sources)
        return()
    endif()
    if(folder MATCHES "^bench/" AND NOT EXISTS "${CMAKE_SOURCE_DIR}/${folder}/main.cpp")
        foreach(source IN LISTS sources)
            get_filename_component(program "${source}" NAME_WE)
            rondo_program(${program} bench "${source}")
        endforeach()
    elseif(folder MATCHES "^bench/")
        rondo_program(${name} bench ${sources})
    else()
        rondo_program(${name} "${folder}" ${sources})
    endif()
endfunction()

set(patterns "tests/testbed")
if(NOT RONDO_SANITIZE)
    list(APPEND patterns "examples/*" "bench/*")
endif()
file(GLOB folders CONFIGURE_DEPENDS RELATIVE "${CMAKE_SOURCE_DIR}" ${patterns})
foreach(folder IN LISTS folders)
    if(IS_DIRECTORY "${CMAKE_SOURCE_DIR}/${folder}")
        rondo_program_folder("${folder}")
    elseif(folder MATCHES "\\.cpp$")
        get_filename_component(name "${folder}" NAME_WE)
        rondo_program(${name} bench "${CMAKE_SOURCE_DIR}/${folder}")
    endif()
endforeach()
