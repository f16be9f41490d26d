// SPDX-License-Identifier: Apache-2.0
// error: a coroutine runs on the event loop
#include <rondo/web/app.hpp>

rondo::response compute(rondo::request&) { return rondo::text("done"); }
rondo::task<rondo::response> later(rondo::request&) { co_return rondo::text("done"); }

void routes(rondo::app& app) {
#ifdef CONTROL
    app.post("/", rondo::cpu(compute));
#else
    app.post("/", rondo::cpu(later));
#endif
}
