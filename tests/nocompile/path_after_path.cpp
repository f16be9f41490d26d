// SPDX-License-Identifier: Apache-2.0
// error: a_path_parameter_must_be_the_last_segment
#include <rondo/web/app.hpp>

rondo::response file(rondo::request&, std::string_view) { return rondo::text("file"); }

void routes(rondo::app& app) {
#ifdef CONTROL
    app.get("/files/<path:name>", file);
#else
    app.get("/files/<path:name>/raw", file);
#endif
}
