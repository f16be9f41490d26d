// SPDX-License-Identifier: Apache-2.0
// error: a_mount_prefix_must_not_have_parameters
#include <rondo/web/app.hpp>

void routes(rondo::app& app) {
#ifdef CONTROL
    app.mount("/sub", rondo::app());
#else
    app.mount("/<int:sub>", rondo::app());
#endif
}
