# SPDX-License-Identifier: Apache-2.0
# The extension module rondo._rondo: src/rondo/python/*.cpp is compiled once per interpreter in RONDO_PYTHONS, the library
# once for all of them. The target python_313 is the module for Python 3.13, the target python all modules.
#
# build/<preset>/python/3.13/ can be put in PYTHONPATH: it contains the module, and links to the files of python/rondo/.
if(NOT TARGET rondo)
    return()
endif()
include(interpreter)
rondo_sources(python_sources "${CMAKE_SOURCE_DIR}/src/rondo/python")
file(GLOB_RECURSE python_files CONFIGURE_DEPENDS RELATIVE "${CMAKE_SOURCE_DIR}/python"
    "python/rondo/*.py" "python/rondo/*.pyi" "python/rondo/py.typed")
add_custom_target(python ALL)

# rondo_python_links(<folder>): links to the files of the package. A link whose file no longer exists is removed.
function(rondo_python_links folder)
    file(GLOB_RECURSE links "${folder}/rondo/*.py*")
    foreach(link IN LISTS links)
        if(IS_SYMLINK "${link}" AND NOT EXISTS "${link}")
            file(REMOVE "${link}")
        endif()
    endforeach()
    foreach(file IN LISTS python_files)
        get_filename_component(parent "${folder}/${file}" DIRECTORY)
        file(MAKE_DIRECTORY "${parent}")
        file(CREATE_LINK "${CMAKE_SOURCE_DIR}/python/${file}" "${folder}/${file}" SYMBOLIC)
    endforeach()
endfunction()

function(rondo_python_module interpreter)
    rondo_interpreter("${interpreter}" version include suffix)
    string(REPLACE "." "" digits "${version}")
    set(target python_${digits})
    set(folder "${CMAKE_BINARY_DIR}/python/${version}")
    add_library(${target} MODULE ${python_sources})
    set_target_properties(${target} PROPERTIES PREFIX "" OUTPUT_NAME _rondo SUFFIX "${suffix}"
        LIBRARY_OUTPUT_DIRECTORY "${folder}/rondo" CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
    if(RONDO_UNITY STREQUAL "PROGRAMS")
        set_target_properties(${target} PROPERTIES UNITY_BUILD OFF)
    endif()
    # clang-tidy reads the sources once, with the headers of the first interpreter.
    get_target_property(others python MANUALLY_ADDED_DEPENDENCIES)
    if(others)
        set_target_properties(${target} PROPERTIES EXPORT_COMPILE_COMMANDS OFF)
    endif()
    # The functions of Python come from the interpreter that loads the module: libpython is not linked, because a second
    # copy of it, or one of another build, would have an interpreter state of its own.
    target_include_directories(${target} SYSTEM PRIVATE "${include}")
    target_link_libraries(${target} PRIVATE rondo_program_build rondo::rondo)
    rondo_package(${target} ${RONDO_PACKAGES_OF_python})
    # Only PyInit__rondo is visible: other extension modules in the process may contain the same functions.
    target_link_options(${target} PRIVATE -Wl,--exclude-libs,ALL)
    add_dependencies(python ${target})
    rondo_python_links("${folder}")
    install(TARGETS ${target} LIBRARY DESTINATION rondo COMPONENT python EXCLUDE_FROM_ALL)
endfunction()

if(python_sources)
    foreach(interpreter IN LISTS RONDO_PYTHONS)
        rondo_python_module("${interpreter}")
    endforeach()
endif()
