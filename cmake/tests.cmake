# SPDX-License-Identifier: Apache-2.0
# Tests are found by suffix:
#   src/rondo/<folder>/**/*_test.cpp    one program rondo_<folder>_test, run case by case
#   src/rondo/<folder>/**/*_bench.cpp   one program rondo_<folder>_bench (Google Benchmark), not run by ctest
#   tests/<folder>/**/*_test.cpp        one program <folder>_test over the whole library
#   tests/**/*_test.py                  one ctest each, run with the build folder's programs
enable_testing()
include(GoogleTest)
pkg_check_modules(GTEST REQUIRED IMPORTED_TARGET gtest gtest_main gmock)
pkg_check_modules(BENCHMARK REQUIRED IMPORTED_TARGET benchmark)

function(rondo_test name directory library)
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${directory}/*_test.cpp")
    if(NOT sources)
        return()
    endif()
    add_executable(${name} ${sources})
    target_link_libraries(${name} PRIVATE rondo_build ${library} PkgConfig::GTEST)
    rondo_package(${name} fmt)
    target_compile_definitions(${name} PRIVATE RONDO_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
        TEST_PREFIX "${name}." PROPERTIES TIMEOUT 60 LABELS "unit")
endfunction()

function(rondo_bench name directory library)
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${directory}/*_bench.cpp")
    if(NOT sources)
        return()
    endif()
    add_executable(${name} ${sources})
    target_link_libraries(${name} PRIVATE rondo_program_build ${library} PkgConfig::BENCHMARK)
    target_link_options(${name} PRIVATE -Wl,--no-as-needed)
    pkg_check_modules(BENCHMARK_MAIN QUIET IMPORTED_TARGET benchmark_main)
    target_link_libraries(${name} PRIVATE benchmark_main)
endfunction()

foreach(folder IN LISTS RONDO_FOLDERS)
    rondo_test(rondo_${folder}_test "${CMAKE_SOURCE_DIR}/src/rondo/${folder}" rondo_${folder})
    rondo_bench(rondo_${folder}_bench "${CMAKE_SOURCE_DIR}/src/rondo/${folder}" rondo_${folder})
endforeach()

file(GLOB folders CONFIGURE_DEPENDS LIST_DIRECTORIES true RELATIVE "${CMAKE_SOURCE_DIR}/tests" "tests/*")
foreach(folder IN LISTS folders)
    if(IS_DIRECTORY "${CMAKE_SOURCE_DIR}/tests/${folder}" AND TARGET rondo)
        rondo_test(${folder}_test "${CMAKE_SOURCE_DIR}/tests/${folder}" rondo)
    endif()
endforeach()
