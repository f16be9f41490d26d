// SPDX-License-Identifier: Apache-2.0
// error: a_path_must_not_contain_a_question_mark
#include <rondo/web/app.hpp>

rondo::response plain(rondo::request&) { return rondo::text("plain"); }

void routes(rondo::app& app) {
#ifdef CONTROL
    app.get("/plain", plain);
#else
    app.get("/plain?x=1", plain);
#endif
}
