// SPDX-License-Identifier: Apache-2.0
#include <rondo/contrib/proxy.hpp>

#include <array>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

#include <rondo/base/log.hpp>
#include <rondo/handler/error.hpp>
#include <rondo/http/url.hpp>

namespace rondo {

namespace {

// What concerns one connection only, besides what Connection itself names.
bool is_hop_by_hop(std::string_view name) noexcept {
    using http::same_ignoring_case;
    return http::is_connection_field(name) || same_ignoring_case(name, "Proxy-Authorization") ||
           same_ignoring_case(name, "Proxy-Authenticate");
}

// What this proxy writes itself, or answers itself.
bool is_own(std::string_view name) noexcept {
    constexpr std::array names = {"Host",      "Expect", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto",
                                  "Forwarded", "Via"};
    for (const char* own : names) {
        if (http::same_ignoring_case(name, own)) return true;
    }
    return false;
}

bool passes(const http::fields_view& all, std::string_view name) noexcept {
    return !is_hop_by_hop(name) && !all.contains_token("Connection", name);
}

// The values of all lines of one name as one list, with one more element.
std::string list_with(const http::fields_view& all, std::string_view name, std::string_view more) {
    std::string list;
    for (const std::string_view value : all.all(name)) (list += value) += ", ";
    return list += more;
}

std::string forwarded_element(request& req) {
    const std::string_view peer = req.peer_address();
    const bool ipv6 = peer.find(':') != std::string_view::npos;
    std::string element = ipv6 ? fmt::format("for=\"[{}]\"", peer) : fmt::format("for={}", peer);
    if (!req.host().empty()) element += fmt::format(";host=\"{}\"", req.host());
    return element += fmt::format(";proto={}", req.scheme());
}

[[noreturn]] void answer_for(const client_error& e) {
    http::status code = http::status::bad_gateway;
    if (e.kind() == client_failure::time_out) code = http::status::gateway_timeout;
    if (e.kind() == client_failure::busy) code = http::status::service_unavailable;
    log::warning(fmt::format("proxy: {}", e.what()));
    throw http_error(code, std::string(http::reason(code)));
}

class request_body final : public client_body {
public:
    explicit request_body(request& req) noexcept : request_(req) {}
    task<std::string_view> read() override { return request_.read(); }
    std::optional<std::uint64_t> length() const noexcept override { return request_.body().length(); }

private:
    request& request_;
};

// Hands the upstream's response on while it comes.
class passing final : public client_response_handler {
public:
    passing(handler::responder& to, const http::fields* more, const std::string& via)
        : to_(to), more_(more), via_(via) {}

    task<void> handle(client_response& up) override {
        begin(up);
        if (to_.body_wanted()) {
            for (;;) {
                const std::string_view piece = co_await up.read();
                if (piece.empty()) break;
                co_await to_.write(piece);
            }
        }
        to_.finish();
    }

private:
    void begin(const client_response& up) {
        if (up.code() > 599) throw client_error(client_failure::protocol, "the upstream's status is none of HTTP");
        http::fields out;
        for (const http::field line : up.fields()) {
            // The server writes Date itself.
            if (passes(up.fields(), line.name) && !http::same_ignoring_case(line.name, "Date"))
                out.add(line.name, line.value);
        }
        out.add("Via", via_);
        if (more_ != nullptr) {
            for (const http::field line : *more_) out.add(line.name, line.value);
        }
        handler::response_head head;
        head.code = up.status();
        head.fields = &out;
        to_.begin(head, up.length());
    }

    handler::responder& to_;
    const http::fields* more_;
    const std::string& via_;
};

}  // namespace

struct proxy::state {
    explicit state(proxy_options o) : options(std::move(o)), http(options.client), via("1.1 " + options.name) {}

    [[nodiscard]] const std::string& base() const { return from ? **from : upstream; }
    [[nodiscard]] std::string target_of(const request& req) const;
    [[nodiscard]] client_request outgoing(request& req) const;

    proxy_options options;
    client http;
    std::string via;
    std::string upstream;
    std::optional<setting<std::string>> from;
};

namespace {

class proxied final : public body_source {
public:
    proxied(client& http, client_request request, const std::string& via) noexcept
        : http_(http), request_(std::move(request)), via_(via) {}

    task<void> send(handler::responder& to, const handler::response_head& head, request&) override {
        passing handing(to, head.fields, via_);
        std::optional<client_error> failure;
        try {
            co_await http_.exchange(std::move(request_), handing);
        } catch (const client_error& e) {
            failure = e;
        }
        if (failure) answer_for(*failure);
    }

private:
    client& http_;
    client_request request_;
    const std::string& via_;
};

}  // namespace

client_options proxy_client_options() {
    client_options options;
    options.max_body = UINT64_MAX;
    options.max_redirects = 0;
    options.decode = false;
    options.user_agent.clear();
    return options;
}

proxy::proxy(std::string upstream, proxy_options options) : state_(std::make_shared<state>(std::move(options))) {
    if (!http::url::parse(upstream))
        throw std::invalid_argument(fmt::format("'{}' is no upstream: http://HOST:PORT is", upstream));
    state_->upstream = std::move(upstream);
}

proxy::proxy(setting<std::string> upstream, proxy_options options)
    : state_(std::make_shared<state>(std::move(options))) {
    state_->from = std::move(upstream);
}

std::string proxy::state::target_of(const request& req) const {
    std::string_view target = req.target();
    // "GET http://host/path" and "OPTIONS *" have no path of this form.
    if (!target.starts_with('/')) target = req.raw_path() == "*" ? std::string_view("/") : req.raw_path();
    if (!options.strip_prefix.empty() && target.starts_with(options.strip_prefix))
        target.remove_prefix(options.strip_prefix.size());
    std::string url = base();
    while (url.ends_with('/')) url.pop_back();
    if (!target.starts_with('/')) url += '/';
    return url += target;
}

client_request proxy::state::outgoing(request& req) const {
    client_request out(req.method_text(), target_of(req));
    for (const http::field line : req.fields()) {
        if (passes(req.fields(), line.name) && !is_own(line.name)) out.field(line.name, line.value);
    }
    out.field("X-Forwarded-For", list_with(req.fields(), "X-Forwarded-For", req.peer_address()));
    if (!req.host().empty()) out.field("X-Forwarded-Host", req.host());
    out.field("X-Forwarded-Proto", req.scheme());
    out.field("Forwarded", list_with(req.fields(), "Forwarded", forwarded_element(req)));
    out.field("Via", list_with(req.fields(), "Via", via));
    if (options.keep_host && !req.host().empty()) out.host(std::string(req.host()));
    if (!req.body().ended()) out.body(std::make_unique<request_body>(req));
    return out;
}

task<response> proxy::operator()(request& req, std::string_view) const {
    co_return with_source(std::make_unique<proxied>(state_->http, state_->outgoing(req), state_->via), {});
}

}  // namespace rondo
