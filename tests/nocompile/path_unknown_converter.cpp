// SPDX-License-Identifier: Apache-2.0
// error: the_path_converter_does_not_match_the_type_of_the_view_parameter
#include <rondo/web/app.hpp>

rondo::response article(rondo::request&, std::string_view name);

void routes(rondo::app& app) {
#ifdef CONTROL
    app.get("/<str:name>", article);
#else
    app.get("/<string:name>", article);
#endif
}
