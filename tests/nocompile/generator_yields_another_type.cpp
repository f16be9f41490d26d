// SPDX-License-Identifier: Apache-2.0
// error: yield_value
// What a generator yields must convert to its type.
#include <string>

#include <rondo/coro/generator.hpp>

rondo::generator<std::string> words() {
#ifdef CONTROL
    co_yield "word";
#else
    co_yield 42;
#endif
}
