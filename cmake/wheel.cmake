# SPDX-License-Identifier: Apache-2.0
# For scikit-build-core (pyproject.toml), which installs the component `python`: the module for the interpreter that runs it.
set(RONDO_PYTHONS "${Python3_EXECUTABLE}")

if(RONDO_PREBUILT)
    # The module has been built, for example by ./dev build: no compiler is needed, and a wheel takes seconds.
    include(interpreter)
    rondo_interpreter("${RONDO_PYTHONS}" version include suffix)
    get_filename_component(prebuilt "${RONDO_PREBUILT}" ABSOLUTE BASE_DIR "${CMAKE_SOURCE_DIR}")
    set(module "${prebuilt}/python/${version}/rondo/_rondo${suffix}")
    if(NOT EXISTS "${module}")
        message(FATAL_ERROR "RONDO_PREBUILT: ${module} does not exist; build it with ninja -C ${prebuilt} python")
    endif()
    install(PROGRAMS "${module}" DESTINATION rondo COMPONENT python)
    add_custom_target(python)
    return()
endif()

# As the preset release, when its compiler is there; else the compiler of the system. The environment variable CXX does not
# count: scikit-build-core sets it to the compiler that Python was built with.
find_program(RONDO_CLANG clang++-19)
find_program(LLD NAMES ld.lld-19 ld.lld)
if(RONDO_CLANG AND LLD AND NOT CMAKE_CXX_COMPILER)
    set(CMAKE_CXX_COMPILER "${RONDO_CLANG}")
    set(RONDO_LTO ON)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1 -DNDEBUG")
