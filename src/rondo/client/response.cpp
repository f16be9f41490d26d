// SPDX-License-Identifier: Apache-2.0
#include <rondo/client/response.hpp>

#include <utility>

#include <rondo/client/error.hpp>
#include <rondo/client/exchange.hpp>
#include <rondo/codec/json.hpp>

namespace rondo {

client_response::client_response() noexcept = default;
client_response::client_response(std::shared_ptr<detail::client_exchange> exchange, std::string url) noexcept
    : exchange_(std::move(exchange)), url_(std::move(url)) {}
client_response::client_response(client_response&&) noexcept = default;
client_response& client_response::operator=(client_response&&) noexcept = default;
client_response::~client_response() = default;

http::status client_response::status() const noexcept { return exchange_ ? exchange_->head().code : http::status{}; }

http::fields_view client_response::fields() const noexcept {
    return exchange_ ? exchange_->fields() : http::fields_view();
}

std::optional<std::uint64_t> client_response::length() const noexcept {
    if (!exchange_ || !exchange_->head().has_content_length) return std::nullopt;
    return exchange_->head().content_length;
}

const http::fields* client_response::trailers() const noexcept { return exchange_ ? exchange_->trailers() : nullptr; }

codec::json_value client_response::json() const {
    auto value = codec::parse_json(body_);
    if (!value) throw client_error(client_failure::protocol, url_ + ": the body is not JSON: " + value.error().message);
    return *std::move(value);
}

task<std::string_view> client_response::read() { return exchange_->read(); }

task<const std::string&> client_response::read_all() {
    co_await exchange_->read_all(body_);
    co_return body_;
}

}  // namespace rondo
