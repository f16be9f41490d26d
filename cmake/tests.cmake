# SPDX-License-Identifier: Apache-2.0
# Tests are found by suffix:
#   src/rondo/<folder>/**/*_test.cpp    one program rondo_<folder>_test, run case by case; label unit
#   src/rondo/<folder>/**/*_bench.cpp   one program rondo_<folder>_bench (Google Benchmark), not run by ctest
#   tests/<folder>/**/*_test.cpp        one program <folder>_test over the whole library; label unit
#   tests/<folder>/**/*_test.py         one ctest each, label <folder>; RONDO_BUILD is the build folder, RONDO_BIN the programs,
#                                       RONDO_PYTHONS_DIR/<version> the Python package, for PYTHONPATH, and
#                                       RONDO_VENVS/<version> an environment with FastAPI and others (./dev makes them)
#   tests/<folder>/*_preload.cpp        one module each in bin/, for LD_PRELOAD
#   tests/nocompile/*.cpp               one ctest each, label nocompile: must fail to compile with the error it names
enable_testing()
include(GoogleTest)
pkg_check_modules(GTEST REQUIRED IMPORTED_TARGET gtest gtest_main gmock)

# GoogleTest's header is half of the compile time of a test, so it is precompiled.
add_library(rondo_test_build INTERFACE)
target_link_libraries(rondo_test_build INTERFACE rondo_build PkgConfig::GTEST)
# Only the library is optimised: a test runs once and is compiled at every change. GCC must optimise tests, too, or a chain
# of coroutines that are ready at once grows the stack.
target_compile_options(rondo_test_build INTERFACE $<$<CXX_COMPILER_ID:Clang>:-O0>)
# GoogleTest's macros contain an else; GCC warns about every `if (x) EXPECT_...;` without braces.
target_compile_options(rondo_test_build INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-dangling-else>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND NOT RONDO_UNITY)
    file(CONFIGURE OUTPUT "${CMAKE_BINARY_DIR}/precompiled.cpp" CONTENT "int main() {}\n")
    # A program like the tests: a library would be compiled with -fPIC, programs are compiled with -fPIE.
    add_executable(rondo_precompiled "${CMAKE_BINARY_DIR}/precompiled.cpp")
    target_link_libraries(rondo_precompiled PRIVATE rondo_test_build)
    target_compile_options(rondo_precompiled PRIVATE -Xclang -fno-pch-timestamp)
    target_precompile_headers(rondo_precompiled PRIVATE <algorithm> <array> <atomic> <chrono> <coroutine> <cstdint>
        <expected> <functional> <memory> <mutex> <optional> <span> <string> <string_view> <thread> <utility> <vector>
        <gtest/gtest.h>)
endif()

function(rondo_test name directory library)
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${directory}/*_test.cpp")
    if(NOT sources)
        return()
    endif()
    add_executable(${name} ${sources})
    target_link_libraries(${name} PRIVATE rondo_test_build ${library})
    rondo_package(${name} fmt)
    if(TARGET rondo_precompiled)
        target_precompile_headers(${name} REUSE_FROM rondo_precompiled)
        target_compile_options(${name} PRIVATE -Xclang -fno-pch-timestamp)
    endif()
    if(name STREQUAL "rondo_db_test")
        # Its cases share one PostgreSQL server, which takes two seconds to start.
        add_test(NAME ${name} COMMAND ${name})
        set_tests_properties(${name} PROPERTIES TIMEOUT 240 LABELS unit PROCESSORS 2
            ENVIRONMENT "RONDO_SOURCE=${CMAKE_SOURCE_DIR}")
        return()
    endif()
    gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
        TEST_PREFIX "${name}." PROPERTIES TIMEOUT 60 LABELS unit ENVIRONMENT "RONDO_SOURCE=${CMAKE_SOURCE_DIR}")
endfunction()

function(rondo_bench name directory library)
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${directory}/*_bench.cpp")
    # Measurements with a sanitizer mean nothing, and ThreadSanitizer has its own operator new.
    if(NOT sources OR RONDO_SANITIZE)
        return()
    endif()
    add_executable(${name} ${sources})
    target_link_libraries(${name} PRIVATE rondo_program_build ${library} benchmark_main benchmark)
endfunction()

foreach(folder IN LISTS RONDO_FOLDERS)
    rondo_test(rondo_${folder}_test "${CMAKE_SOURCE_DIR}/src/rondo/${folder}" rondo_${folder})
    rondo_bench(rondo_${folder}_bench "${CMAKE_SOURCE_DIR}/src/rondo/${folder}" rondo_${folder})
endforeach()

function(rondo_python_test source folder)
    get_filename_component(name "${source}" NAME_WE)
    add_test(NAME ${folder}.${name} COMMAND "${Python3_EXECUTABLE}" "${source}")
    # PROCESSORS 2: these tests start servers and clients and measure time; on two cores each runs alone.
    set_tests_properties(${folder}.${name} PROPERTIES TIMEOUT 300 LABELS ${folder} PROCESSORS 2
        ENVIRONMENT "RONDO_BUILD=${CMAKE_BINARY_DIR};RONDO_BIN=${CMAKE_BINARY_DIR}/bin;RONDO_SOURCE=${CMAKE_SOURCE_DIR};RONDO_PYTHONS_DIR=${CMAKE_BINARY_DIR}/python;RONDO_VENVS=${CMAKE_SOURCE_DIR}/build/venv;PYTHONDONTWRITEBYTECODE=1")
endfunction()

# The same script with other workers: <folder>.<name>@<class>-<backend>-<workers>. ./dev test-matrix runs all combinations;
# these variants must pass for every change.
function(rondo_python_variant folder name class backend workers)
    set(variant "${folder}.${name}@${class}-${backend}-${workers}")
    add_test(NAME ${variant} COMMAND "${Python3_EXECUTABLE}" "${CMAKE_SOURCE_DIR}/tests/${folder}/${name}.py")
    get_property(environment TEST ${folder}.${name} PROPERTY ENVIRONMENT)
    list(APPEND environment TESTBED_CLASS=${class} TESTBED_BACKENDS=${backend} TESTBED_WORKERS=${workers})
    set_tests_properties(${variant} PROPERTIES TIMEOUT 300 LABELS ${folder}-variant PROCESSORS 2
        ENVIRONMENT "${environment}")
endfunction()

function(rondo_preload_module source)
    get_filename_component(name "${source}" NAME_WE)
    add_library(${name} MODULE "${source}")
    target_link_libraries(${name} PRIVATE rondo_build)
    set_target_properties(${name} PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
endfunction()

function(rondo_test_folder folder)
    set(directory "${CMAKE_SOURCE_DIR}/tests/${folder}")
    if(TARGET rondo)
        rondo_test(${folder}_test "${directory}" rondo)
    endif()
    if(folder STREQUAL "python" AND NOT TARGET python)
        return()
    endif()
    if(RONDO_SANITIZE AND NOT folder MATCHES "^(conformance|robustness|hostile)$")
        return()  # sanitizer builds have only the testbed
    endif()
    file(GLOB modules CONFIGURE_DEPENDS "${directory}/*_preload.cpp")
    foreach(module IN LISTS modules)
        rondo_preload_module("${module}")
    endforeach()
    file(GLOB_RECURSE scripts CONFIGURE_DEPENDS "${directory}/*_test.py")
    # h1_workers, with four workers, covers h1_sync and h1_threads; it runs a dozen servers at once, too many for a sanitizer.
    if(RONDO_SANITIZE)
        list(FILTER scripts EXCLUDE REGEX "/h1_workers_test")
    else()
        list(FILTER scripts EXCLUDE REGEX "/h1_(sync|threads)_test")
    endif()
    foreach(script IN LISTS scripts)
        rondo_python_test("${script}" ${folder})
    endforeach()
endfunction()

file(GLOB folders CONFIGURE_DEPENDS LIST_DIRECTORIES true RELATIVE "${CMAKE_SOURCE_DIR}/tests" "tests/*")
foreach(folder IN LISTS folders)
    if(IS_DIRECTORY "${CMAKE_SOURCE_DIR}/tests/${folder}")
        rondo_test_folder(${folder})
    endif()
endforeach()

if(NOT RONDO_SANITIZE)
    foreach(name IN ITEMS clients_test disconnect_test signals_test slow_clients_test)
        rondo_python_variant(robustness ${name} async io_uring 4)
    endforeach()
    foreach(name IN ITEMS clients_test disconnect_test limits_test queues_test signals_test)
        rondo_python_variant(robustness ${name} threads epoll 1)
    endforeach()
    foreach(name IN ITEMS addresses_test logs_test slow_clients_test)
        rondo_python_variant(robustness ${name} threads io_uring 4)
    endforeach()
    foreach(name IN ITEMS clients_test disconnect_test signals_test)
        rondo_python_variant(robustness ${name} sync epoll 4)
    endforeach()
    foreach(name IN ITEMS descriptors_test limits_test logs_test)
        rondo_python_variant(robustness ${name} sync io_uring 1)
    endforeach()
endif()

file(GLOB misuses CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/tests/nocompile/*.cpp")
if(RONDO_SANITIZE)
    set(misuses "")
endif()
foreach(source IN LISTS misuses)
    get_filename_component(name "${source}" NAME_WE)
    add_test(NAME nocompile.${name} COMMAND "${Python3_EXECUTABLE}" "${CMAKE_SOURCE_DIR}/tools/check_nocompile"
        "${source}" -- "${CMAKE_CXX_COMPILER}" -std=c++23 -Wall -Wextra -Werror "-I${CMAKE_SOURCE_DIR}/src")
    set_tests_properties(nocompile.${name} PROPERTIES TIMEOUT 60 LABELS nocompile)
endforeach()
