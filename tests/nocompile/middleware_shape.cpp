// SPDX-License-Identifier: Apache-2.0
// error: a middleware is task<response>
#include <rondo/web/app.hpp>

rondo::task<rondo::response> pass(rondo::request& req, rondo::next next) { co_return co_await next(req); }
int counts(rondo::request&) { return 1; }

void routes(rondo::app& app) {
#ifdef CONTROL
    app.use(pass);
#else
    app.use(counts);
#endif
}
