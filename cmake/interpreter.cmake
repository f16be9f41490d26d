# SPDX-License-Identifier: Apache-2.0
# rondo_interpreter(<executable> <version> <include> <suffix>): sets the variables to what an interpreter says about itself:
# 3.13, the folder of Python.h, the suffix of its extension modules. find_package(Python3) finds one interpreter only.
function(rondo_interpreter executable version include suffix)
    execute_process(COMMAND "${executable}" -c "
import sys, sysconfig
assert sys.implementation.name == 'cpython' and sys.version_info >= (3, 10), 'Rondo needs CPython 3.10 or newer'
print('%d.%d' % sys.version_info[:2], sysconfig.get_path('include'), sysconfig.get_config_var('EXT_SUFFIX'), sep=';')"
        OUTPUT_VARIABLE answer OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
    list(GET answer 1 folder)
    if(NOT RONDO_PREBUILT AND NOT EXISTS "${folder}/Python.h")
        message(FATAL_ERROR "${executable} has no ${folder}/Python.h; install its headers (Debian: python3-dev)")
    endif()
    foreach(variable IN ITEMS ${version} ${include} ${suffix})
        list(POP_FRONT answer value)
        set(${variable} "${value}" PARENT_SCOPE)
    endforeach()
endfunction()
