// SPDX-License-Identifier: Apache-2.0
#include <rondo/client/call.hpp>

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include <rondo/client/cookie_jar.hpp>
#include <rondo/client/proxies.hpp>
#include <rondo/codec/decompress.hpp>
#include <rondo/codec/redact.hpp>
#include <rondo/coro/this_context.hpp>

namespace rondo::detail {

namespace {

// RFC 9110 section 9.2.2
bool is_idempotent(http::method m) noexcept {
    return http::is_safe(m) || m == http::method::put || m == http::method::delete_;
}

// A Location, shortened for a message.
std::string_view truncated(std::string_view location) noexcept { return location.substr(0, 200); }

bool is_redirect(http::status code) noexcept {
    switch (to_int(code)) {
        case 301:
        case 302:
        case 303:
        case 307:
        case 308: return true;
        default: return false;
    }
}

}  // namespace

client_call::client_call(client_pool& pool, client_request& request, client_response_handler* handler)
    : pool_(pool),
      request_(request),
      handler_(handler),
      timeouts_(request_.timeouts_.value_or(pool.options().timeouts)) {}

std::string client_call::text() const {
    return fmt::format("{} {}", request_.method_text_,
                       url_.scheme.empty() ? codec::redacted_url(request_.url_) : url_.text());
}

void client_call::prepare() {
    auto url = http::url::parse(request_.url_);
    if (!url) throw client_error(client_failure::url, "not an http or https URL");
    url_ = *std::move(url);
    http::fields& fields = request_.fields_;
    if (!pool_.options().user_agent.empty() && !fields.contains("User-Agent"))
        fields.add("User-Agent", pool_.options().user_agent);
    decoding_enabled_ = request_.decode_.value_or(pool_.options().decode) && !fields.contains("Accept-Encoding") &&
                        !fields.contains("Range");
    if (decoding_enabled_) fields.add("Accept-Encoding", codec::accepted_codings);
    uses_jar_ = pool_.options().cookies && !fields.contains("Cookie");
    if (!url_.user.empty() && !fields.contains("Authorization")) set_credentials(url_);
}

void client_call::set_credentials(const http::url& from) {
    if (from.user.find(':') != std::string::npos)
        throw client_error(client_failure::url, "the user name in the URL contains a colon (RFC 7617 section 2)");
    request_.basic_auth(from.user, from.password);
}

task<client_response> client_call::run(bool read_all) {
    prepare();
    const task_context* caller = co_await this_context();
    deadline_ = from_now(timeouts_.total);
    if (caller) deadline_ = std::min(deadline_, caller->deadline);
    for (;;) {
        co_await attempt(false);
        if (handled_) co_return client_response();
        auto next = redirect_target();
        if (!next) break;
        co_await exchange_->discard_rest();
        redirect(*std::move(next));
    }
    if (!read_all) exchange_->set_deadline(instant::max());
    start_decoding();
    client_response response(std::move(exchange_), url_.text());
    if (read_all) (void)co_await response.read_all();
    co_return response;
}

task<void> client_call::attempt(bool fresh) {
    for (;;) {
        client_pool::lease lease = co_await pool_.acquire(url_, timeouts_, deadline_, fresh);
        exchange_ = std::make_shared<client_exchange>(pool_, std::move(lease), timeouts_, deadline_,
                                                      request_.max_body_.value_or(pool_.options().max_body));
        begin_attempt();
        const outgoing_request out{.method_text = request_.method_text_,
                                   .method = request_.method_,
                                   .target = target_,
                                   .host = host_,
                                   .fields = &request_.fields_,
                                   .body = request_.body_,
                                   .source = request_.source_.get(),
                                   .has_body = request_.has_body_};
        bool retry = false;
        try {
            co_await exchange_->transact(out, handler_ ? &run_handler : nullptr, this);
        } catch (const client_error&) {
            retry = !fresh && may_retry();
            if (!retry) throw;
        }
        if (!retry) co_return store_cookies();
        fresh = true;
    }
}

// Sets what depends on the URL of this attempt.
void client_call::begin_attempt() {
    host_ = request_.host_.empty() ? url_.authority() : request_.host_;
    target_ = url_.target;
    request_.fields_.remove("Proxy-Authorization");
    if (const http::url* proxy = url_.is_secure() ? nullptr : pool_.proxy_for(url_)) {
        target_ = url_.text();
        if (!proxy->user.empty()) request_.fields_.set("Proxy-Authorization", basic_credentials(*proxy));
    }
    if (!uses_jar_) return;
    const std::string value = pool_.options().cookies->cookie_header(url_);
    if (value.empty()) request_.fields_.remove("Cookie");
    else request_.fields_.set("Cookie", value);
}

void client_call::store_cookies() {
    if (pool_.options().cookies && exchange_) pool_.options().cookies->store(url_, exchange_->fields());
}

void client_call::start_decoding() {
    if (decoding_enabled_) exchange_->start_decoding(pool_.options().max_ratio);
}

bool client_call::may_retry() const noexcept {
    return exchange_->is_unprocessed() && is_idempotent(request_.method_) && !request_.source_;
}

task<void> client_call::run_handler(void* self) {
    auto& call = *static_cast<client_call*>(self);
    const bool final = !call.redirect_target();
    if (!final) co_return;
    call.handled_ = true;
    call.exchange_->set_deadline(instant::max());
    call.start_decoding();
    // The handler may drop the response; the exchange has to outlive it.
    client_response response(call.exchange_, call.url_.text());
    co_await call.handler_->handle(response);
}

std::optional<http::url> client_call::redirect_target() const {
    if (!is_redirect(exchange_->head().code) || request_.source_) return std::nullopt;
    const unsigned max_redirects = request_.max_redirects_.value_or(pool_.options().max_redirects);
    if (max_redirects == 0) return std::nullopt;
    const auto location = exchange_->fields().find("Location");
    if (!location) return std::nullopt;
    auto next = url_.resolve(*location);
    if (!next)
        throw client_error(client_failure::url,
                           fmt::format("redirected to '{}'; expected an http or https URL without user and password",
                                       truncated(*location)));
    if (redirects_ >= max_redirects)
        throw client_error(client_failure::too_many_redirects, fmt::format("more than {} redirects", max_redirects));
    return next;
}

void client_call::redirect(http::url to) {
    ++redirects_;
    const int code = to_int(exchange_->head().code);
    const bool to_get = code == 303 ? request_.method_ != http::method::head
                                    : (code == 301 || code == 302) && request_.method_ == http::method::post;
    if (to_get && request_.method_ != http::method::get) {
        request_.method_ = http::method::get;
        request_.method_text_ = "GET";
        request_.body_.clear();
        request_.has_body_ = false;
        for (const std::string_view name : {"Content-Type", "Content-Encoding", "Content-Language", "Content-Location"})
            request_.fields_.remove(name);
    }
    if (to.origin() != url_.origin()) {
        request_.host_.clear();
        for (const std::string_view name : {"Authorization", "Cookie", "Proxy-Authorization"})
            request_.fields_.remove(name);
    }
    url_ = std::move(to);
}

}  // namespace rondo::detail
