// SPDX-License-Identifier: Apache-2.0
#include <rondo/contrib/proxy.hpp>

#include <chrono>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

#include <rondo/base/log.hpp>
#include <rondo/codec/redact.hpp>
#include <rondo/contrib/proxy_fields.hpp>
#include <rondo/coro/task_group.hpp>
#include <rondo/handler/error.hpp>
#include <rondo/http/path_and_query.hpp>
#include <rondo/http/url.hpp>
#include <rondo/loop/loop.hpp>

namespace rondo {

namespace {

// The head of a response is delayed this long until its first body byte, so that an early failure can become a 502.
constexpr auto head_delay = std::chrono::seconds(1);

// A request that passes through this proxy this often is in a loop.
constexpr std::size_t max_passages = 10;

http::status status_for(const client_error& e) {
    http::status code = http::status::bad_gateway;
    if (e.kind() == client_failure::timeout) code = http::status::gateway_timeout;
    if (e.kind() == client_failure::busy) code = http::status::service_unavailable;
    if (e.kind() == client_failure::request_too_large) code = http::status::request_header_fields_too_large;
    return code;
}

class request_body final : public client_body {
public:
    explicit request_body(request& req) noexcept : request_(req) {}
    task<std::string_view> read() override { return request_.read(); }
    std::optional<std::uint64_t> length() const noexcept override { return request_.body().length(); }

private:
    request& request_;
};

// Forwards the upstream's response while it arrives.
class response_forwarder final : public client_response_handler {
public:
    response_forwarder(handler::responder& to, const http::fields* extra_fields, const std::string& via)
        : to_(to), extra_fields_(extra_fields), via_(via) {}

    task<void> handle(client_response& upstream) override {
        if (upstream.code() < 200 || upstream.code() > 599)
            throw client_error(client_failure::protocol,
                               fmt::format("invalid status {} from the upstream", upstream.code()));
        if (to_.needs_body()) {
            std::string_view piece;
            if (is_event_stream(upstream)) start(upstream);
            co_await with_group(read_first_piece, this, &upstream, &piece);
            start(upstream);
            while (!piece.empty()) {
                co_await to_.write(piece);
                piece = co_await upstream.read();
            }
        }
        start(upstream);
        to_.finish();
    }

private:
    // The client of an event stream waits for the head, and the first event may be hours away.
    static bool is_event_stream(const client_response& upstream) noexcept {
        constexpr std::string_view type = "text/event-stream";
        return http::equals_ignore_case(upstream.field("Content-Type").value_or("").substr(0, type.size()), type);
    }

    static task<void> read_first_piece(task_group& group, response_forwarder* self, client_response* upstream,
                                       std::string_view* piece) {
        group.spawn(self->start_later(*upstream));
        *piece = co_await upstream->read();
        group.cancel();
    }

    task<void> start_later(const client_response& upstream) {
        co_await sleep(head_delay);
        start(upstream);
    }

    void start(const client_response& upstream) {
        if (to_.has_started()) return;
        http::fields out;
        for (const http::field line : upstream.fields()) {
            // The server writes Date.
            if (detail::is_end_to_end(upstream.fields(), line.name) && !http::equals_ignore_case(line.name, "Date"))
                out.add(line.name, line.value);
        }
        out.add("Via", via_);
        if (extra_fields_ != nullptr) {
            for (const http::field line : *extra_fields_) out.add(line.name, line.value);
        }
        handler::response_head head;
        head.code = upstream.status();
        head.fields = &out;
        to_.start(head, upstream.length());
    }

    handler::responder& to_;
    const http::fields* extra_fields_;
    const std::string& via_;
};

}  // namespace

struct proxy::state {
    explicit state(proxy_options o) : options(std::move(o)), http(options.client), via("1.1 " + options.name) {
        while (options.strip_prefix.ends_with('/')) options.strip_prefix.pop_back();
    }

    [[nodiscard]] const std::string& base_url() const { return upstream_setting ? **upstream_setting : upstream_url; }
    [[nodiscard]] std::string url_for(const request& req) const;
    [[nodiscard]] client_request make_request(request& req) const;

    proxy_options options;
    client http;
    std::string via;
    std::string upstream_url;
    std::optional<setting<std::string>> upstream_setting;
};

namespace {

class proxied_body final : public body_source {
public:
    proxied_body(client& http, client_request request, const std::string& via) noexcept
        : http_(http), request_(std::move(request)), via_(via) {}

    task<void> send(handler::responder& to, const handler::response_head& head, request&) override {
        response_forwarder forwarder(to, head.fields, via_);
        std::optional<client_error> failure;
        try {
            co_await http_.exchange(std::move(request_), forwarder);
        } catch (const client_error& e) {
            failure = e;
        }
        if (!failure) co_return;
        const http::status code = status_for(*failure);
        log::warning(fmt::format("proxy: {}", failure->what()));
        throw http_error(code, std::string(http::reason(code)));
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
        throw std::invalid_argument(
            fmt::format("invalid upstream '{}'; expected http://HOST:PORT", codec::redacted_url(upstream)));
    state_->upstream_url = std::move(upstream);
}

proxy::proxy(setting<std::string> upstream, proxy_options options)
    : state_(std::make_shared<state>(std::move(options))) {
    state_->upstream_setting = std::move(upstream);
}

namespace {

// Returns the length of the (decoded) prefix in the path as received; 0 if the path does not start with it or it does
// not end at a segment boundary.
std::size_t prefix_length(std::string_view path, std::string_view prefix) {
    std::size_t at = 0;
    for (const char c : prefix) {
        const std::size_t size = path.substr(at).starts_with('%') ? 3 : 1;
        const auto byte = http::decode_path(path.substr(at, size));
        // An encoded slash does not separate segments.
        if (!byte || byte->size() != 1 || byte->front() != c || (c == '/' && size == 3)) return 0;
        at += size;
    }
    return at == path.size() || path[at] == '/' ? at : 0;
}

}  // namespace

std::string proxy::state::url_for(const request& req) const {
    std::string_view path = req.raw_path();
    // Checked regardless of the route: the upstream would resolve dot segments and bypass this application's
    // middleware.
    const auto decoded = http::decode_path(path);
    if (!decoded || http::has_dot_segment(*decoded))
        throw http_error(http::status::bad_request, "a path with dot segments is not forwarded");
    if (path == "*") path = "/";
    path.remove_prefix(prefix_length(path, options.strip_prefix));
    std::string url = base_url();
    while (url.ends_with('/')) url.pop_back();
    if (!path.starts_with('/')) url += '/';
    url += path;
    if (req.server_request().has_query) (url += '?') += req.raw_query();
    return url;
}

client_request proxy::state::make_request(request& req) const {
    client_request out(req.method_text(), url_for(req));
    detail::forward_request_fields(req, via, out);
    if (options.keep_host && !req.host().empty()) out.host(std::string(req.host()));
    if (!req.body().is_at_end()) out.body(std::make_unique<request_body>(req));
    return out;
}

task<response> proxy::operator()(request& req, std::string_view) const {
    // RFC 9110 section 7.6.2: at 0 the recipient responds itself.
    if (req.method() == http::method::options && req.field("Max-Forwards") == "0") co_return no_content();
    if (detail::count_in_via(req.fields(), state_->via) >= max_passages) {
        log::warning(fmt::format("proxy: forwarding loop: {} {} passed through this proxy {} times", req.method_text(),
                                 req.target(), max_passages));
        throw http_error(http::status::loop_detected);
    }
    co_return with_source(std::make_unique<proxied_body>(state_->http, state_->make_request(req), state_->via), {});
}

}  // namespace rondo
