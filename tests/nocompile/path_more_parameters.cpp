// SPDX-License-Identifier: Apache-2.0
// error: the_path_has_more_parameters_than_the_view_takes
#include <rondo/web/app.hpp>

rondo::response plain(rondo::request&) { return rondo::text("plain"); }

void routes(rondo::app& app) {
#ifdef CONTROL
    app.get("/plain", plain);
#else
    app.get("/plain/<int:year>", plain);
#endif
}
