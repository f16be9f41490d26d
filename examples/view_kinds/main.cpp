// SPDX-License-Identifier: Apache-2.0
// [sample program]
#include <string>

#include <rondo/web.hpp>

using namespace std::chrono_literals;

rondo::response hello(rondo::request&) { return rondo::text("Hello, World!"); }  // sync: on a pool thread

rondo::task<rondo::response> later(rondo::request&, unsigned ms) {  // async: on the event loop
    co_await rondo::sleep(ms * 1ms);
    co_return rondo::text("waited without blocking a thread");
}

rondo::response primes(rondo::request&, unsigned below) {  // CPU work: see rondo::cpu below
    unsigned count = 0;
    for (unsigned n = 2; n < below; ++n) {
        bool prime = true;
        for (unsigned d = 2; d * d <= n && prime; ++d) prime = n % d != 0;
        count += prime;
    }
    return rondo::text(std::to_string(count));
}

int main(int argc, char** argv) {
    rondo::app app;
    app.get("/", hello);
    app.get("/later/<uint:ms>", later);                   // the compiler checks the path against the signature
    app.get("/primes/<uint:below>", rondo::cpu(primes));  // on the compute threads
    return rondo::run(app, argc, argv);                   // serve, routes, check, version
}
// [end]
