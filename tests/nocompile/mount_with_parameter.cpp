// SPDX-License-Identifier: Apache-2.0
// error: the_prefix_of_a_mounted_app_has_no_parameters
#include <rondo/web/app.hpp>

void routes(rondo::app& app) {
#ifdef CONTROL
    app.mount("/sub", rondo::app());
#else
    app.mount("/<int:sub>", rondo::app());
#endif
}
