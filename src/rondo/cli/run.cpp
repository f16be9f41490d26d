// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/run.hpp>

#include <algorithm>
#include <cstdio>
#include <exception>

#include <fmt/format.h>

#include <rondo/base/log.hpp>
#include <rondo/base/version.hpp>
#include <rondo/cli/serve.hpp>
#include <rondo/cli/settings.hpp>
#include <rondo/web/app.hpp>

namespace rondo {

namespace {

void print_routes(const app& application) {
    std::size_t methods = 0;
    std::size_t pattern = 0;
    auto routes = application.routes();
    for (const route_info& r : routes) {
        methods = std::max(methods, r.methods.size());
        pattern = std::max(pattern, r.pattern.size());
    }
    for (const route_info& r : routes)
        fmt::print("{:{}}  {:{}}  {}\n", r.methods, methods, r.pattern, pattern, to_string(r.kind));
}

int check(app& application, const cli::settings& chosen) {
    application.check();
    for (const net::bind_address& at : chosen.binds)
        if (at.what != net::bind_address::kind::inherited) (void)net::listen(at, chosen.listening);
    fmt::print("{} routes, no mistakes found\n", application.routes().size());
    return 0;
}

int carry_out(app& application, const cli::invocation& asked) {
    switch (asked.what) {
        case cli::command::serve: return cli::serve(application, asked.chosen);
        case cli::command::routes: print_routes(application); return 0;
        case cli::command::check: return check(application, asked.chosen);
        case cli::command::version: fmt::print("rondo {}\n", version); return 0;
    }
    return 2;
}

}  // namespace

int run(app& application, int argc, const char* const* argv) {
    int status = 0;
    auto asked = cli::parse_command_line(argc, argv, status);
    if (!asked) return status;
    try {
        return carry_out(application, *asked);
    } catch (const std::exception& e) {
        log::flush();
        fmt::print(stderr, "{}: {}\n", argc > 0 ? argv[0] : "app", e.what());
        return 1;
    }
}

}  // namespace rondo
