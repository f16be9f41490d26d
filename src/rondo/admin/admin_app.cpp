// SPDX-License-Identifier: Apache-2.0
#include <rondo/admin/admin_app.hpp>

#include <algorithm>
#include <charconv>
#include <ctime>
#include <stdexcept>

#include <fmt/format.h>

#include <rondo/admin/assets.hpp>
#include <rondo/admin/metrics.hpp>
#include <rondo/admin/status_json.hpp>
#include <rondo/http/ip_address.hpp>
#include <rondo/process/control_command.hpp>

namespace rondo::admin {

namespace {

constexpr std::size_t most_workers = process::order::most_children;
constexpr std::size_t most_running = 200;

constexpr std::string_view policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'";

// The host of host[:port], without the brackets of an IPv6 address.
std::string_view host_of(std::string_view authority) {
    if (authority.starts_with('[')) return authority.substr(1, authority.find(']') - 1);
    return authority.substr(0, authority.rfind(':'));
}

// Against DNS rebinding: a page of another site may point its own name to this address.
bool named_honestly(request& req) {
    if (req.peer_address() == "unix") return true;
    const std::string_view host = host_of(req.host());
    return host == "localhost" || http::ip_address::parse(host);
}

bool from_here(const request& req) {
    if (const auto site = req.field("Sec-Fetch-Site"); site && *site != "same-origin" && *site != "none") return false;
    const auto origin = req.field("Origin");
    return !origin || *origin == fmt::format("http://{}", req.host());
}

task<response> guard(request& req, next handler) {
    if (!named_honestly(req))
        co_return text("host not allowed; use an IP address or localhost\n").status(http::status::misdirected_request);
    const bool is_safe = req.method() == http::method::get || req.method() == http::method::head;
    if (!is_safe && !from_here(req)) co_return text("cross-origin request refused\n").status(http::status::forbidden);
    response r = co_await handler(req);
    co_return std::move(r)
        .field("Cache-Control", "no-store")
        .field("Content-Security-Policy", policy)
        .field("X-Content-Type-Options", "nosniff")
        .field("Referrer-Policy", "no-referrer")
        .field("Cross-Origin-Resource-Policy", "same-origin");
}

response asset(std::string_view path, std::string_view type) {
    return text(assets::find(path)).field("Content-Type", type);
}

task<response> page(request&) { co_return asset("page.html", "text/html; charset=utf-8"); }
task<response> script(request&) { co_return asset("page.js", "text/javascript; charset=utf-8"); }
task<response> style(request&) { co_return asset("page.css", "text/css; charset=utf-8"); }
task<response> icon(request&) { co_return asset("icon.svg", "image/svg+xml"); }

response done(const std::string& error, std::string_view message) {
    if (error.empty()) return text(fmt::format("{}\n", message)).status(http::status::accepted);
    return text(error + "\n").status(http::status::conflict);
}

}  // namespace

void require_private(const net::bind_address& address, bool allowed) {
    if (allowed || address.what != net::bind_address::kind::tcp) return;
    static const http::allow_list loopback = http::allow_list::of({"127.0.0.0/8", "::1"});
    const auto ip = http::ip_address::parse(address.host);
    if (address.host == "localhost" || (ip && loopback.contains(*ip))) return;
    throw std::invalid_argument(
        fmt::format("admin: '{}' can be reached by other machines, and anyone who can connect can stop the server; "
                    "use 127.0.0.1:PORT or unix:/path, or set admin-remote if a firewall protects the address",
                    address.host.empty() ? "*" : address.host));
}

app admin_pages::make() {
    app a;
    a.use(guard);
    a.get("/", page);
    a.get("/page.js", script);
    a.get("/page.css", style);
    a.get("/icon.svg", icon);
    a.get("/healthz", this, &admin_pages::health);
    a.get("/readyz", this, &admin_pages::readiness);
    a.get("/metrics", this, &admin_pages::metrics);
    a.get("/requests", this, &admin_pages::requests);
    a.get("/status.json", this, &admin_pages::status);
    a.post("/reload", this, &admin_pages::reload);
    a.post("/drain", this, &admin_pages::drain);
    a.post("/scale", this, &admin_pages::scale);
    return a;
}

overview admin_pages::look() const {
    const std::vector<worker_source> workers = of_.workers();
    const std::vector<compute_source> processes = of_.computers();
    return read_all(workers, clock::now(), most_running, processes);
}

task<response> admin_pages::health(request&) { co_return text("alive\n"); }

task<response> admin_pages::readiness(request&) {
    const overview snapshot = look();
    const auto in = [&snapshot](std::string_view state) {
        return std::ranges::count(snapshot.workers, state, &worker_totals::state);
    };
    const std::string report = fmt::format("{} serving, {} blocked, {} starting, {} draining\n", in("serving"),
                                           in("blocked"), in("starting"), in("draining"));
    co_return text(report).status(in("serving") ? http::status::ok : http::status::service_unavailable);
}

task<response> admin_pages::metrics(request&) {
    co_return text(metrics_text(look())).field("Content-Type", metrics_type);
}

task<response> admin_pages::requests(request&) { co_return json_text(requests_json(look())); }

task<response> admin_pages::status(request&) {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    co_return json_text(status_json(look(), now.tv_sec * 1000 + now.tv_nsec / 1'000'000));
}

task<response> admin_pages::reload(request&) { co_return done(of_.reload(), "reloading"); }
task<response> admin_pages::drain(request&) { co_return done(of_.drain(), "draining"); }

task<response> admin_pages::scale(request& req) {
    const auto workers = req.query_as<std::size_t>("workers");
    if (workers < 1 || workers > most_workers)
        co_return text(fmt::format("invalid number of workers; expected 1 to {}\n", most_workers))
            .status(http::status::bad_request);
    co_return done(of_.scale(workers), fmt::format("scaling to {} workers", workers));
}

}  // namespace rondo::admin
