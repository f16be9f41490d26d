// SPDX-License-Identifier: Apache-2.0
// error: the_view_takes_more_parameters_than_the_path_has
#include <rondo/web/app.hpp>

rondo::response year(rondo::request&, int) { return rondo::text("year"); }

void routes(rondo::app& app) {
#ifdef CONTROL
    app.get("/<int:year>", year);
#else
    app.get("/year", year);
#endif
}
