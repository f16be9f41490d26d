// SPDX-License-Identifier: Apache-2.0
// [sample whole]
#include <rondo/web.hpp>

rondo::task<rondo::response> hello(rondo::request&) { co_return rondo::text("Hello, World!"); }

int main(int argc, char** argv) {
    rondo::app app;
    app.get("/", hello);
    return rondo::run(app, argc, argv);
}
// [end]
