# SPDX-License-Identifier: Apache-2.0
# cmake --install: the headers, librondo.a, find_package(rondo) and pkg-config rondo.
if(NOT TARGET rondo)
    return()
endif()
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(config_dir "${CMAKE_INSTALL_LIBDIR}/cmake/rondo")

list(TRANSFORM RONDO_PRIVATE_FOLDERS REPLACE "(.+)" "REGEX;/src/rondo/\\1$;EXCLUDE" OUTPUT_VARIABLE excluded)
install(DIRECTORY "${CMAKE_SOURCE_DIR}/src/rondo" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
    FILES_MATCHING PATTERN "*.hpp" PATTERN "*_fixture.hpp" EXCLUDE ${excluded})
install(TARGETS rondo EXPORT rondo ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(EXPORT rondo NAMESPACE rondo:: FILE rondoTargets.cmake DESTINATION "${config_dir}")

configure_package_config_file("${CMAKE_SOURCE_DIR}/cmake/rondoConfig.cmake.in" "${CMAKE_BINARY_DIR}/rondoConfig.cmake"
    INSTALL_DESTINATION "${config_dir}" NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file("${CMAKE_BINARY_DIR}/rondoConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_BINARY_DIR}/rondoConfig.cmake" "${CMAKE_BINARY_DIR}/rondoConfigVersion.cmake"
    DESTINATION "${config_dir}")

file(RELATIVE_PATH RONDO_PREFIX "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
list(JOIN RONDO_PACKAGES " " RONDO_REQUIRES)
configure_file("${CMAKE_SOURCE_DIR}/cmake/rondo.pc.in" "${CMAKE_BINARY_DIR}/rondo.pc" @ONLY)
install(FILES "${CMAKE_BINARY_DIR}/rondo.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
