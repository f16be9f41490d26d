// SPDX-License-Identifier: Apache-2.0
// Connections from proxies: the PROXY protocol header and trust in forwarding header fields.
#include <fmt/format.h>

#include <rondo/base/log.hpp>
#include <rondo/server/connection.hpp>
#include <rondo/server/server.hpp>
#include <rondo/stats/cpu_timer.hpp>

namespace rondo::server {

using namespace std::chrono_literals;

task<void> connection::run_proxied() {
    const bool valid = co_await read_proxy_header();
    if (!valid) co_return close(true);
    co_await run();
}

task<bool> connection::read_proxy_header() {
    if (!server_.options_.proxy_allow.contains_peer(peer().address)) {
        server_.on_refused_proxy(peer().address, "not in proxy-allow-ips");
        co_return false;
    }
    for (;;) {
        const auto header = http::parse_proxy_header(input());
        if (header) {
            apply_proxy_header(*header);
            co_return true;
        }
        if (header.error() == http::proxy_error::malformed) {
            server_.on_refused_proxy(peer().address, "no valid PROXY header");
            co_return false;
        }
        const net::input_event event = co_await receive();
        if (event == net::input_event::data) continue;
        if (!input().empty() || timed_out_) server_.on_refused_proxy(peer().address, "incomplete PROXY header");
        co_return false;
    }
}

void connection::apply_proxy_header(const http::proxy_header& header) {
    secure_ = header.secure;
    if (header.source_type == http::proxy_header::source::ip)
        known_addresses().peer = net::peer{header.address.text(), header.port};
    else if (header.source_type == http::proxy_header::source::unix_socket)
        known_addresses().peer = net::peer{"unix", 0};
    consume(header.size);
}

bool connection::peer_is_trusted() {
    if (trust_ == trust::unknown)
        trust_ = server_.options_.forwarded_allow.contains_peer(peer().address) ? trust::yes : trust::no;
    return trust_ == trust::yes;
}

void server::on_refused_proxy(std::string_view peer, std::string_view reason) noexcept {
    add_relaxed(stats_.refused, 1);
    if (loop_.now() < next_proxy_log_) return;
    next_proxy_log_ = loop_.now() + 10s;
    try {
        log::warning(fmt::format("refused a connection from {} (--proxy-protocol): {}", peer, reason));
    } catch (...) {
        // Out of memory for the message; the connection is refused regardless.
    }
}

}  // namespace rondo::server
