// SPDX-License-Identifier: Apache-2.0
// error: yield_value
// A yielded value must convert to the generator's type.
#include <string>

#include <rondo/coro/generator.hpp>

rondo::generator<std::string> words() {
#ifdef CONTROL
    co_yield "word";
#else
    co_yield 42;
#endif
}
