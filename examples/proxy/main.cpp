// SPDX-License-Identifier: Apache-2.0
// [sample program]
#include <rondo/proxy.hpp>
#include <rondo/web.hpp>

constexpr std::uint64_t max_upload = std::uint64_t{10} << 30;

rondo::response alive(rondo::request&) { return rondo::text("alive\n"); }

int main(int argc, char** argv) {
    rondo::app app;
    auto upstream = app.setting("upstream", "URL", "http://127.0.0.1:9000", "server to forward requests to");
    app.get("/proxy/alive", alive);  // answered here
    app.any("/<path:rest>", rondo::proxy(upstream)).body_limit(max_upload);
    return rondo::run(app, argc, argv);
}
// [end]
