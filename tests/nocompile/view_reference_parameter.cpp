// SPDX-License-Identifier: Apache-2.0
// error: (takes its path parameters by value|does_not_match_the_type_of_the_view_parameter)
#include <rondo/web/app.hpp>

rondo::response good(rondo::request&, std::string) { return rondo::text("good"); }
rondo::response bad(rondo::request&, const std::string&) { return rondo::text("bad"); }

void routes(rondo::app& app) {
#ifdef CONTROL
    app.get("/<str:name>", good);
#else
    app.get("/<str:name>", bad);
#endif
}
