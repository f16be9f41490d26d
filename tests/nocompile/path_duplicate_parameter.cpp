// SPDX-License-Identifier: Apache-2.0
// error: two_parameters_have_the_same_name
#include <rondo/web/app.hpp>

rondo::response two(rondo::request&, int, int) { return rondo::text("two"); }

void routes(rondo::app& app) {
#ifdef CONTROL
    app.get("/<int:a>/<int:b>", two);
#else
    app.get("/<int:a>/<int:a>", two);
#endif
}
