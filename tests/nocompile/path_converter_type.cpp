// SPDX-License-Identifier: Apache-2.0
// error: the_path_converter_does_not_match
#include <rondo/web/app.hpp>

rondo::response year(rondo::request&, int) { return rondo::text("year"); }

void routes(rondo::app& app) {
#ifdef CONTROL
    app.get("/<int:year>", year);
#else
    app.get("/<slug:year>", year);
#endif
}
