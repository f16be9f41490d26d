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
std::string_view shown(std::string_view location) noexcept { return location.substr(0, 200); }

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
    : pool_(pool), request_(request), then_(handler), limits_(request_.timeouts_.value_or(pool.options().timeouts)) {}

std::string client_call::text() const {
    return fmt::format("{} {}", request_.method_text_,
                       to_.scheme.empty() ? codec::redacted_url(request_.url_) : to_.text());
}

void client_call::prepare() {
    auto url = http::url::parse(request_.url_);
    if (!url) throw client_error(client_failure::url, "not an http or https URL");
    to_ = *std::move(url);
    http::fields& fields = request_.fields_;
    if (!pool_.options().user_agent.empty() && !fields.contains("User-Agent"))
        fields.add("User-Agent", pool_.options().user_agent);
    decodes_ = request_.decode_.value_or(pool_.options().decode) && !fields.contains("Accept-Encoding") &&
               !fields.contains("Range");
    if (decodes_) fields.add("Accept-Encoding", codec::accepted_codings);
    uses_jar_ = pool_.options().cookies && !fields.contains("Cookie");
    if (!to_.user.empty() && !fields.contains("Authorization")) use_credentials(to_);
}

void client_call::use_credentials(const http::url& from) {
    if (from.user.find(':') != std::string::npos)
        throw client_error(client_failure::url, "the user name in the URL contains a colon (RFC 7617 section 2)");
    request_.basic_auth(from.user, from.password);
}

task<client_response> client_call::run(bool whole) {
    prepare();
    const context* caller = co_await this_context();
    until_ = from_now(limits_.total);
    if (caller) until_ = std::min(until_, caller->deadline);
    for (;;) {
        co_await attempt(false);
        if (handled_) co_return client_response();
        auto next = elsewhere();
        if (!next) break;
        co_await exchange_->skip();
        redirect(*std::move(next));
    }
    if (!whole) exchange_->read_until(instant::max());
    decode_if_asked();
    client_response response(std::move(exchange_), to_.text());
    if (whole) (void)co_await response.read_all();
    co_return response;
}

task<void> client_call::attempt(bool fresh) {
    for (;;) {
        client_pool::lease lease = co_await pool_.acquire(to_, limits_, until_, fresh);
        exchange_ = std::make_shared<client_exchange>(pool_, std::move(lease), limits_, until_,
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
            co_await exchange_->transact(out, then_ ? &hand_over : nullptr, this);
        } catch (const client_error&) {
            retry = !fresh && may_retry();
            if (!retry) throw;
        }
        if (!retry) co_return take_cookies();
        fresh = true;
    }
}

// Sets what depends on the URL of this attempt.
void client_call::begin_attempt() {
    host_ = request_.host_.empty() ? to_.authority() : request_.host_;
    target_ = to_.target;
    request_.fields_.remove("Proxy-Authorization");
    if (const http::url* proxy = to_.secure() ? nullptr : pool_.proxy_for(to_)) {
        target_ = to_.text();
        if (!proxy->user.empty()) request_.fields_.set("Proxy-Authorization", basic_credentials(*proxy));
    }
    if (!uses_jar_) return;
    const std::string value = pool_.options().cookies->value_for(to_);
    if (value.empty()) request_.fields_.remove("Cookie");
    else request_.fields_.set("Cookie", value);
}

void client_call::take_cookies() {
    if (pool_.options().cookies && exchange_) pool_.options().cookies->store(to_, exchange_->fields());
}

void client_call::decode_if_asked() {
    if (decodes_) exchange_->decode(pool_.options().max_ratio);
}

bool client_call::may_retry() const noexcept {
    return exchange_->not_seen() && is_idempotent(request_.method_) && !request_.source_;
}

task<void> client_call::hand_over(void* self) {
    auto& call = *static_cast<client_call*>(self);
    const bool final = !call.elsewhere();
    if (!final) co_return;
    call.handled_ = true;
    call.exchange_->read_until(instant::max());
    call.decode_if_asked();
    // The handler may drop the response; the exchange has to outlive it.
    client_response response(call.exchange_, call.to_.text());
    co_await call.then_->handle(response);
}

std::optional<http::url> client_call::elsewhere() const {
    if (!is_redirect(exchange_->head().code) || request_.source_) return std::nullopt;
    const unsigned most = request_.max_redirects_.value_or(pool_.options().max_redirects);
    if (most == 0) return std::nullopt;
    const auto location = exchange_->fields().find("Location");
    if (!location) return std::nullopt;
    auto next = to_.resolve(*location);
    if (!next)
        throw client_error(client_failure::url,
                           fmt::format("redirected to '{}'; expected an http or https URL without user and password",
                                       shown(*location)));
    if (redirects_ >= most) throw client_error(client_failure::redirects, fmt::format("more than {} redirects", most));
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
    if (to.origin() != to_.origin()) {
        request_.host_.clear();
        for (const std::string_view name : {"Authorization", "Cookie", "Proxy-Authorization"})
            request_.fields_.remove(name);
    }
    to_ = std::move(to);
}

}  // namespace rondo::detail
