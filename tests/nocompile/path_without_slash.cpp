// SPDX-License-Identifier: Apache-2.0
// error: a_path_must_start_with_a_slash
#include <rondo/web/app.hpp>

rondo::response plain(rondo::request&) { return rondo::text("plain"); }

void routes(rondo::app& app) {
#ifdef CONTROL
    app.get("/plain", plain);
#else
    app.get("plain", plain);
#endif
}
