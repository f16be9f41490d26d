// SPDX-License-Identifier: Apache-2.0
// error: a_parameter_must_be_a_whole_segment
#include <rondo/web/app.hpp>

rondo::response year(rondo::request&, int) { return rondo::text("year"); }

void routes(rondo::app& app) {
#ifdef CONTROL
    app.get("/y/<int:year>", year);
#else
    app.get("/y-<int:year>", year);
#endif
}
