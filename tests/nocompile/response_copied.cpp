// SPDX-License-Identifier: Apache-2.0
// error: deleted (constructor|function)
#include <rondo/web/response.hpp>

rondo::response twice(rondo::response r) {
#ifdef CONTROL
    return rondo::response(std::move(r));
#else
    return rondo::response(static_cast<const rondo::response&>(r));
#endif
}
