# SPDX-License-Identifier: Apache-2.0
# Compile and link options of all targets.
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib")
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib")
# So that a Python extension module can link the static library, too.
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

# Headers are most of the compile time of a source, so unity builds compile many sources as one. In the release build the
# library is not a unity build: programs link only the objects they need, and a source that compiles alone includes what it
# uses.
set(RONDO_UNITY OFF CACHE STRING "Unity builds: OFF, PROGRAMS (and tests), ALL")
set(CMAKE_UNITY_BUILD_BATCH_SIZE 24 CACHE STRING "")
if(RONDO_UNITY)
    set(CMAKE_UNITY_BUILD ON)
endif()

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
# The tests need 3.11; a wheel is built with the interpreter that it is for.
if(SKBUILD)
    find_package(Python3 3.10 REQUIRED COMPONENTS Interpreter)
else()
    find_package(Python3 3.11 REQUIRED COMPONENTS Interpreter)
endif()

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    # ccache caches precompiled headers only with this sloppiness. With the base directory, a second clone of the tree
    # reuses the objects of the first.
    set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env CCACHE_SLOPPINESS=pch_defines,time_macros
        "CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}" "${CCACHE}")
endif()

file(RELATIVE_PATH RONDO_ROOT "${CMAKE_BINARY_DIR}" "${CMAKE_SOURCE_DIR}")
add_library(rondo_build INTERFACE)
target_compile_options(rondo_build INTERFACE -Wall -Wextra -Wpedantic -Werror
    # Paths in stack traces, assertions and debug information are relative to the root of the tree.
    "-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=" "-ffile-prefix-map=${RONDO_ROOT}=")
target_link_libraries(rondo_build INTERFACE Threads::Threads)
target_link_options(rondo_build INTERFACE -Wl,--as-needed)

if(RONDO_UNITY STREQUAL "ALL" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # In a unity build GCC treats every source as a header, and warns about anonymous namespaces in headers.
    target_compile_options(rondo_build INTERFACE -Wno-subobject-linkage)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    target_compile_options(rondo_build INTERFACE -Wshadow)
    find_program(LLD NAMES ld.lld-19 ld.lld)
    if(LLD)
        target_link_options(rondo_build INTERFACE "--ld-path=${LLD}")
    endif()
endif()

if(RONDO_SANITIZE)
    target_compile_options(rondo_build INTERFACE "-fsanitize=${RONDO_SANITIZE}" -fno-sanitize-recover=all
                                                 -fno-omit-frame-pointer)
    target_link_options(rondo_build INTERFACE "-fsanitize=${RONDO_SANITIZE}")
endif()
if(RONDO_SANITIZE MATCHES undefined)
    # The vptr check opens a pipe, which fails in tests that use up all descriptors.
    target_compile_options(rondo_build INTERFACE -fno-sanitize=vptr)
endif()

# The library's objects contain machine code and ThinLTO bitcode (fat objects): programs are optimised as a whole, tests
# link quickly without LTO, and an installed librondo.a works with every compiler and linker.
add_library(rondo_library_build INTERFACE)
add_library(rondo_program_build INTERFACE)
target_link_libraries(rondo_library_build INTERFACE rondo_build)
target_link_libraries(rondo_program_build INTERFACE rondo_build)
if(RONDO_LTO)
    target_compile_options(rondo_library_build INTERFACE -flto=thin -ffat-lto-objects)
    target_compile_options(rondo_program_build INTERFACE -flto=thin -ffat-lto-objects)
    target_link_options(rondo_program_build INTERFACE -flto=thin -ffat-lto-objects
        "-Wl,--thinlto-cache-dir=${CMAKE_BINARY_DIR}/thinlto" -Wl,--thinlto-jobs=2)
endif()

# rondo_package(<target> <pkg-config names...>): links the packages; their targets are PkgConfig::PKG_<name>.
function(rondo_package target)
    foreach(name IN LISTS ARGN)
        string(MAKE_C_IDENTIFIER "PKG_${name}" prefix)
        pkg_check_modules(${prefix} REQUIRED IMPORTED_TARGET GLOBAL ${name})
        target_link_libraries(${target} PRIVATE PkgConfig::${prefix})
    endforeach()
endfunction()
