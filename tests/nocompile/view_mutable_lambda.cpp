// SPDX-License-Identifier: Apache-2.0
// error: its operator\(\) must be const
#include <rondo/web/app.hpp>

void routes(rondo::app& app) {
#ifdef CONTROL
    app.get("/", [n = 0](rondo::request&) { return rondo::text(n == 0 ? "none" : "some"); });
#else
    app.get("/", [n = 0](rondo::request&) mutable { return rondo::text(n++ == 0 ? "none" : "some"); });
#endif
}
