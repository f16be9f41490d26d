// SPDX-License-Identifier: Apache-2.0
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <rondo/client/error.hpp>
#include <rondo/client/exchange.hpp>
#include <rondo/client/pool.hpp>
#include <rondo/client/proxies.hpp>
#include <rondo/http/h1/lenient_response_parser.hpp>
#include <rondo/http/h1/request_writer.hpp>
#include <rondo/http/h1/response_parser.hpp>
#include <rondo/loop/thread_pool.hpp>
#include <rondo/loop/timeout.hpp>
#include <rondo/net/connect.hpp>

// Opens the connections of a pool: connect, proxy tunnel, TLS.
namespace rondo::detail {

task<unique_fd> client_pool::connect(const http::url& to, instant deadline) {
    client_failure kind{};
    std::string text;
    try {
        std::vector<net::endpoint> addresses;
        if (!to.unix_path.empty()) addresses.push_back(net::endpoint::unix_path(to.unix_path));
        else addresses = co_await resolver_.resolve(to.host, to.port, deadline);
        co_return co_await net::connect(std::move(addresses), deadline);
    } catch (const net::resolve_error& e) {
        kind = client_failure::resolve;
        text = e.what();
    } catch (const timed_out&) {
        kind = client_failure::timeout;
        text = fmt::format("timed out connecting to {}", to.origin());
    } catch (const std::system_error& e) {
        kind = client_failure::connect;
        text = e.what();
    } catch (const std::invalid_argument& e) {
        kind = client_failure::url;
        text = e.what();
    }
    throw client_error(kind, text);
}

task<const net::tls_context*> client_pool::tls() {
    if (!tls_) {
        net::tls_client_options options{
            .verify = options_.tls.verify, .ca_file = options_.tls.ca_file, .protocols = {"http/1.1"}};
        auto make = [&options] { return net::tls_context::client(options); };
        // Reading the CA certificates would block the loop for too long.
        if (thread_pool* threads = loop_.blocking()) {
            net::tls_context context = co_await threads->run(make);
            tls_ = std::move(context);
        } else {
            tls_ = make();
        }
    }
    co_return &*tls_;
}

task<void> client_pool::start_tls(client_connection& c, const client_origin& o, instant deadline) {
    const std::string& host = o.url.host;
    client_failure kind = client_failure::tls;
    std::string text;
    try {
        const net::tls_context* context = co_await tls();
        c.set_filter(context->connect(host, o.key));
        while (c.filter()->current_state() == net::stream_filter::state::handshaking && !c.failed()) {
            const net::input_event event = co_await c.receive_until(deadline);
            if (event != net::input_event::data) break;
        }
        if (c.filter()->current_state() == net::stream_filter::state::open) co_return;
        const std::string& why = c.filter()->error_message();
        text = fmt::format("TLS handshake with {} failed: {}", host,
                           why.empty() ? "the server closed the connection" : why);
    } catch (const timed_out&) {
        kind = client_failure::timeout;
        text = fmt::format("TLS handshake with {} timed out", host);
    } catch (const net::tls_error& e) {
        text = e.what();
    } catch (const net::unread_input_error& e) {
        text = fmt::format("TLS handshake with {} failed: {}", host, e.what());
    } catch (const pool_full& e) {
        kind = client_failure::busy;
        text = e.what();
    }
    throw client_error(kind, text);
}

task<void> client_pool::open_tunnel(client_connection& c, const client_origin& o, instant deadline) {
    const bool is_ipv6 = o.url.host.find(':') != std::string::npos;
    const std::string target = (is_ipv6 ? "[" + o.url.host + "]" : o.url.host) + ":" + std::to_string(o.url.port);
    http::fields fields;
    if (!o.tunnel->user.empty()) fields.add("Proxy-Authorization", basic_credentials(*o.tunnel));
    http::h1::request_parts parts;
    parts.method = "CONNECT";
    parts.target = target;
    parts.host = target;
    parts.fields = &fields;
    std::string out(http::h1::request_size_bound(parts), '\0');
    out.resize(static_cast<std::size_t>(http::h1::write_request_head(out.data(), parts) - out.data()));
    c.write(out);
    http::h1::received_head head{};
    std::string repaired;
    std::uint8_t interim = 0;
    bool late = false;
    while (!late) {
        const auto parsed = http::h1::parse_response_head_leniently(c.input(), http::method::connect, options_.head,
                                                                    fields_, head, repaired);
        if (parsed) {
            c.consume(head.size);
            if (!head.is_interim()) break;
            if (++interim <= client_exchange::max_interim_responses) continue;
            throw client_error(client_failure::connect,
                               fmt::format("proxy {} sent too many interim responses", o.tunnel->origin()));
        }
        if (parsed.error() != http::h1::parse_error::incomplete)
            throw client_error(client_failure::connect,
                               fmt::format("proxy {} did not respond with valid HTTP", o.tunnel->origin()));
        net::input_event event{};
        try {
            event = co_await c.receive_until(deadline);
        } catch (const timed_out&) {
            late = true;
        }
        if (!late && event != net::input_event::data)
            throw client_error(client_failure::connect,
                               fmt::format("proxy {} closed the connection", o.tunnel->origin()));
    }
    if (late) throw client_error(client_failure::timeout, fmt::format("timed out opening a tunnel to {}", target));
    // A 101 does not open a tunnel either (RFC 9110 section 9.3.6).
    if (to_int(head.code) < 200 || to_int(head.code) > 299) {
        throw client_error(client_failure::connect,
                           fmt::format("proxy {} refused a tunnel to {}: {} {}", o.tunnel->origin(), target,
                                       to_int(head.code), http::reason(head.code)));
    }
}

task<client_connection*> client_pool::open(client_origin& o, instant deadline) {
    unique_fd socket = co_await connect(o.tunnel ? *o.tunnel : o.url, deadline);
    client_connection* c = nullptr;
    try {
        c = new client_connection(*this, o, output_, std::move(socket));
    } catch (const std::system_error& e) {
        throw client_error(client_failure::connect, e.what());
    }
    busy_.push_back(*c);
    std::exception_ptr failure;
    try {
        if (o.tunnel) co_await open_tunnel(*c, o, deadline);
        if (o.url.is_secure()) co_await start_tls(*c, o, deadline);
    } catch (...) {
        failure = std::current_exception();
    }
    if (!failure) co_return c;
    destroy_later(*c);
    std::rethrow_exception(failure);
}

}  // namespace rondo::detail
