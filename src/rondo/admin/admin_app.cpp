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

constexpr std::size_t max_workers = process::control_command::max_children;
constexpr std::size_t max_listed_requests = 200;

constexpr std::string_view content_security_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'";

// The host of host[:port], without the brackets of an IPv6 address.
std::string_view host_without_port(std::string_view authority) {
    if (authority.starts_with('[')) return authority.substr(1, authority.find(']') - 1);
    return authority.substr(0, authority.rfind(':'));
}

// Against DNS rebinding: a page of another site may point its own name to this address.
bool has_trusted_host(request& req) {
    if (req.peer_address() == "unix") return true;
    const std::string_view host = host_without_port(req.host());
    return host == "localhost" || http::ip_address::parse(host);
}

bool is_same_origin(const request& req) {
    if (const auto site = req.field("Sec-Fetch-Site"); site && *site != "same-origin" && *site != "none") return false;
    const auto origin = req.field("Origin");
    return !origin || *origin == fmt::format("http://{}", req.host());
}

task<response> guard(request& req, next handler) {
    if (!has_trusted_host(req))
        co_return text("host not allowed; use an IP address or localhost\n").status(http::status::misdirected_request);
    const bool is_safe = req.method() == http::method::get || req.method() == http::method::head;
    if (!is_safe && !is_same_origin(req))
        co_return text("cross-origin request refused\n").status(http::status::forbidden);
    response r = co_await handler(req);
    co_return std::move(r)
        .field("Cache-Control", "no-store")
        .field("Content-Security-Policy", content_security_policy)
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

response command_response(const std::string& error, std::string_view message) {
    if (error.empty()) return text(fmt::format("{}\n", message)).status(http::status::accepted);
    return text(error + "\n").status(http::status::conflict);
}

}  // namespace

void require_local_address(const net::bind_address& address, bool allowed) {
    if (allowed || address.type != net::bind_address::kind::tcp) return;
    static const http::allow_list loopback = http::allow_list::parse({"127.0.0.0/8", "::1"});
    const auto ip = http::ip_address::parse(address.host);
    if (address.host == "localhost" || (ip && loopback.contains(*ip))) return;
    throw std::invalid_argument(
        fmt::format("admin: '{}' can be reached by other machines, and anyone who can connect can stop the server; "
                    "use 127.0.0.1:PORT or unix:/path, or set admin-remote if a firewall protects the address",
                    address.host.empty() ? "*" : address.host));
}

app admin_app::make_app() {
    app a;
    a.use(guard);
    a.get("/", page);
    a.get("/page.js", script);
    a.get("/page.css", style);
    a.get("/icon.svg", icon);
    a.get("/healthz", this, &admin_app::health);
    a.get("/readyz", this, &admin_app::readiness);
    a.get("/metrics", this, &admin_app::metrics);
    a.get("/requests", this, &admin_app::requests);
    a.get("/status.json", this, &admin_app::status);
    a.post("/reload", this, &admin_app::reload);
    a.post("/drain", this, &admin_app::drain);
    a.post("/scale", this, &admin_app::scale);
    return a;
}

stats_snapshot admin_app::snapshot() const {
    const std::vector<worker_source> workers = backend_.workers();
    const std::vector<compute_source> processes = backend_.compute_processes();
    return take_snapshot(workers, clock::now(), max_listed_requests, processes);
}

task<response> admin_app::health(request&) { co_return text("alive\n"); }

task<response> admin_app::readiness(request&) {
    const stats_snapshot stats = snapshot();
    const auto in = [&stats](std::string_view state) {
        return std::ranges::count(stats.workers, state, &worker_snapshot::state);
    };
    const std::string report = fmt::format("{} serving, {} blocked, {} starting, {} draining\n", in("serving"),
                                           in("blocked"), in("starting"), in("draining"));
    co_return text(report).status(in("serving") ? http::status::ok : http::status::service_unavailable);
}

task<response> admin_app::metrics(request&) {
    co_return text(metrics_text(snapshot())).field("Content-Type", metrics_content_type);
}

task<response> admin_app::requests(request&) { co_return json_text(requests_json(snapshot())); }

task<response> admin_app::status(request&) {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    co_return json_text(status_json(snapshot(), now.tv_sec * 1000 + now.tv_nsec / 1'000'000));
}

task<response> admin_app::reload(request&) { co_return command_response(backend_.reload(), "reloading"); }
task<response> admin_app::drain(request&) { co_return command_response(backend_.drain(), "draining"); }

task<response> admin_app::scale(request& req) {
    const auto workers = req.query_as<std::size_t>("workers");
    if (workers < 1 || workers > max_workers)
        co_return text(fmt::format("invalid number of workers; expected 1 to {}\n", max_workers))
            .status(http::status::bad_request);
    co_return command_response(backend_.scale(workers), fmt::format("scaling to {} workers", workers));
}

}  // namespace rondo::admin
