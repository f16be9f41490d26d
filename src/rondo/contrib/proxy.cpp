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
constexpr auto head_held = std::chrono::seconds(1);

// A request that passes through this proxy this often is in a loop.
constexpr std::size_t most_passages = 10;

http::status status_for(const client_error& e) {
    http::status code = http::status::bad_gateway;
    if (e.kind() == client_failure::time_out) code = http::status::gateway_timeout;
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
class passing final : public client_response_handler {
public:
    passing(handler::responder& to, const http::fields* more, const std::string& via)
        : to_(to), more_(more), via_(via) {}

    task<void> handle(client_response& up) override {
        if (up.code() < 200 || up.code() > 599)
            throw client_error(client_failure::protocol, fmt::format("invalid status {} from the upstream", up.code()));
        if (to_.body_wanted()) {
            std::string_view piece;
            if (is_event_stream(up)) begin(up);
            co_await with_group(read_first, this, &up, &piece);
            begin(up);
            while (!piece.empty()) {
                co_await to_.write(piece);
                piece = co_await up.read();
            }
        }
        begin(up);
        to_.finish();
    }

private:
    // The client of an event stream waits for the head, and the first event may be hours away.
    static bool is_event_stream(const client_response& up) noexcept {
        constexpr std::string_view type = "text/event-stream";
        return http::same_ignoring_case(up.field("Content-Type").value_or("").substr(0, type.size()), type);
    }

    static task<void> read_first(task_group& group, passing* self, client_response* up, std::string_view* piece) {
        group.spawn(self->begin_later(*up));
        *piece = co_await up->read();
        group.cancel();
    }

    task<void> begin_later(const client_response& up) {
        co_await sleep(head_held);
        begin(up);
    }

    void begin(const client_response& up) {
        if (to_.begun()) return;
        http::fields out;
        for (const http::field line : up.fields()) {
            // The server writes Date.
            if (detail::passes_on(up.fields(), line.name) && !http::same_ignoring_case(line.name, "Date"))
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
    explicit state(proxy_options o) : options(std::move(o)), http(options.client), via("1.1 " + options.name) {
        while (options.strip_prefix.ends_with('/')) options.strip_prefix.pop_back();
    }

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
    state_->upstream = std::move(upstream);
}

proxy::proxy(setting<std::string> upstream, proxy_options options)
    : state_(std::make_shared<state>(std::move(options))) {
    state_->from = std::move(upstream);
}

namespace {

// Returns the length of the (decoded) prefix in the path as received; 0 if the path does not start with it or it does
// not end at a segment boundary.
std::size_t size_of_prefix(std::string_view path, std::string_view prefix) {
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

std::string proxy::state::target_of(const request& req) const {
    std::string_view path = req.raw_path();
    // Whatever the route allows: the upstream would resolve them and bypass this application's middleware.
    const auto decoded = http::decode_path(path);
    if (!decoded || http::has_dot_segment(*decoded))
        throw http_error(http::status::bad_request, "a path with dot segments is not forwarded");
    if (path == "*") path = "/";
    path.remove_prefix(size_of_prefix(path, options.strip_prefix));
    std::string url = base();
    while (url.ends_with('/')) url.pop_back();
    if (!path.starts_with('/')) url += '/';
    url += path;
    if (req.received().has_query) (url += '?') += req.raw_query();
    return url;
}

client_request proxy::state::outgoing(request& req) const {
    client_request out(req.method_text(), target_of(req));
    detail::pass_request_fields(req, via, out);
    if (options.keep_host && !req.host().empty()) out.host(std::string(req.host()));
    if (!req.body().ended()) out.body(std::make_unique<request_body>(req));
    return out;
}

task<response> proxy::operator()(request& req, std::string_view) const {
    // RFC 9110 section 7.6.2: at 0 the recipient responds itself.
    if (req.method() == http::method::options && req.field("Max-Forwards") == "0") co_return no_content();
    if (detail::times_passed(req.fields(), state_->via) >= most_passages) {
        log::warning(fmt::format("proxy: forwarding loop: {} {} passed through this proxy {} times", req.method_text(),
                                 req.target(), most_passages));
        throw http_error(http::status::loop_detected);
    }
    co_return with_source(std::make_unique<proxied>(state_->http, state_->outgoing(req), state_->via), {});
}

}  // namespace rondo
