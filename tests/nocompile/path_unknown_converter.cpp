// SPDX-License-Identifier: Apache-2.0
// error: the_converter_in_the_path_does_not_fit_the_type_of_the_views_parameter
#include <rondo/web/app.hpp>

rondo::response article(rondo::request&, std::string_view name);

void routes(rondo::app& app) {
#ifdef CONTROL
    app.get("/<str:name>", article);
#else
    app.get("/<string:name>", article);
#endif
}
