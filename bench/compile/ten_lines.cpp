// SPDX-License-Identifier: Apache-2.0
#include <rondo/web.hpp>

rondo::task<rondo::response> hello(rondo::request&) { co_return rondo::text("Hello, World!"); }
rondo::response echo(rondo::request& request) { return rondo::text(request.read_all_sync()); }

int main(int argc, char** argv) {
    rondo::app app;
    app.get("/", hello);
    app.post("/echo", echo);
    return rondo::run(app, argc, argv);
}
