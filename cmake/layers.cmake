# SPDX-License-Identifier: Apache-2.0
# One static library rondo_<folder> per folder of src/rondo, linked with the folders that layers.toml allows it to include,
# and the library `rondo` with the objects of all of them.
set(RONDO_FOLDERS "")
set(RONDO_PRIVATE_FOLDERS "")
set(RONDO_PACKAGES "")

# rondo_sources(<variable> <directory>): the sources of the directory without tests and micro-benchmarks.
function(rondo_sources variable directory)
    file(GLOB_RECURSE all CONFIGURE_DEPENDS "${directory}/*.cpp")
    list(FILTER all EXCLUDE REGEX "_(test|bench)\\.cpp$")
    set(${variable} "${all}" PARENT_SCOPE)
endfunction()

function(rondo_folder name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "INCLUDES;PACKAGES")
    set(directory "${CMAKE_SOURCE_DIR}/src/rondo/${name}")
    set(target rondo_${name})
    rondo_sources(sources "${directory}")
    if(sources)
        add_library(${target} STATIC ${sources})
        if(RONDO_UNITY STREQUAL "PROGRAMS")
            set_target_properties(${target} PROPERTIES UNITY_BUILD OFF)
        endif()
        target_link_libraries(${target} PRIVATE rondo_library_build)
        target_include_directories(${target} PUBLIC "${CMAKE_SOURCE_DIR}/src")
        set(scope PUBLIC)
        rondo_package(${target} ${arg_PACKAGES})
        if(IS_DIRECTORY "${directory}/assets")
            rondo_embed(${target} "${directory}/assets" rondo/${name})
        endif()
    else()
        add_library(${target} INTERFACE)
        target_include_directories(${target} INTERFACE "${CMAKE_SOURCE_DIR}/src")
        set(scope INTERFACE)
    endif()
    foreach(other IN LISTS arg_INCLUDES)
        if(other IN_LIST RONDO_FOLDERS)
            target_link_libraries(${target} ${scope} rondo_${other})
        endif()
    endforeach()
    set(RONDO_FOLDERS ${RONDO_FOLDERS} ${name} PARENT_SCOPE)
    set(packages ${RONDO_PACKAGES} ${arg_PACKAGES})
    list(REMOVE_DUPLICATES packages)
    set(RONDO_PACKAGES ${packages} PARENT_SCOPE)
endfunction()

# A folder that is not part of the library: only its packages are recorded, in RONDO_PACKAGES_OF_<name>.
function(rondo_private_folder name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "INCLUDES;PACKAGES")
    list(REMOVE_DUPLICATES arg_PACKAGES)
    set(RONDO_PRIVATE_FOLDERS ${RONDO_PRIVATE_FOLDERS} ${name} PARENT_SCOPE)
    set(RONDO_PACKAGES_OF_${name} ${arg_PACKAGES} PARENT_SCOPE)
endfunction()

execute_process(COMMAND "${Python3_EXECUTABLE}" "${CMAKE_SOURCE_DIR}/tools/check_layers" --cmake
                OUTPUT_FILE "${CMAKE_BINARY_DIR}/folders.cmake" COMMAND_ERROR_IS_FATAL ANY)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
             "${CMAKE_SOURCE_DIR}/layers.toml" "${CMAKE_SOURCE_DIR}/tools/check_layers")
include("${CMAKE_BINARY_DIR}/folders.cmake")

# A forbidden include fails the build, not only the lint.
file(GLOB_RECURSE all_sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/src/*.hpp" "${CMAKE_SOURCE_DIR}/src/*.cpp")
add_custom_command(OUTPUT "${CMAKE_BINARY_DIR}/layers.checked"
    COMMAND "${Python3_EXECUTABLE}" "${CMAKE_SOURCE_DIR}/tools/check_layers"
    COMMAND "${CMAKE_COMMAND}" -E touch "${CMAKE_BINARY_DIR}/layers.checked"
    DEPENDS ${all_sources} "${CMAKE_SOURCE_DIR}/layers.toml" "${CMAKE_SOURCE_DIR}/tools/check_layers"
    COMMENT "Checking the layers" VERBATIM)
add_custom_target(layers ALL DEPENDS "${CMAKE_BINARY_DIR}/layers.checked")

file(GLOB umbrella_sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/src/rondo/*.cpp")
list(FILTER umbrella_sources EXCLUDE REGEX "_(test|bench)\\.cpp$")
set(RONDO_OBJECTS ${umbrella_sources})
foreach(folder IN LISTS RONDO_FOLDERS)
    get_target_property(kind rondo_${folder} TYPE)
    if(kind STREQUAL "STATIC_LIBRARY")
        list(APPEND RONDO_OBJECTS $<TARGET_OBJECTS:rondo_${folder}>)
    endif()
endforeach()
if(RONDO_OBJECTS)
    add_library(rondo STATIC ${RONDO_OBJECTS})
    set_target_properties(rondo PROPERTIES LINKER_LANGUAGE CXX)
    target_include_directories(rondo PUBLIC "$<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/src>" "$<INSTALL_INTERFACE:include>")
    target_compile_features(rondo PUBLIC cxx_std_23)
    target_link_libraries(rondo PRIVATE $<BUILD_INTERFACE:rondo_library_build> PUBLIC Threads::Threads)
    foreach(package IN LISTS RONDO_PACKAGES)
        string(MAKE_C_IDENTIFIER "PKG_${package}" prefix)
        target_link_libraries(rondo PRIVATE PkgConfig::${prefix})
    endforeach()
    add_library(rondo::rondo ALIAS rondo)
endif()
