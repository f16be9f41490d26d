// SPDX-License-Identifier: Apache-2.0
#include <rondo/client/request.hpp>

#include <stdexcept>

#include <fmt/format.h>

#include <rondo/codec/base64.hpp>
#include <rondo/http/authority.hpp>

namespace rondo {

namespace {

class generated_body final : public client_body {
public:
    generated_body(async_generator<std::string> pieces, std::optional<std::uint64_t> length)
        : pieces_(std::move(pieces)), length_(length) {}

    task<std::string_view> read() override {
        for (;;) {
            const std::string* piece = co_await pieces_.next();
            if (piece == nullptr) co_return std::string_view();
            if (!piece->empty()) co_return std::string_view(*piece);
        }
    }
    std::optional<std::uint64_t> length() const noexcept override { return length_; }

private:
    async_generator<std::string> pieces_;
    std::optional<std::uint64_t> length_;
};

}  // namespace

client_request::client_request(std::string_view method, std::string url)
    : method_text_(method), url_(std::move(url)), method_(http::parse_method(method)) {
    if (!http::is_valid_token(method)) throw std::invalid_argument(fmt::format("invalid HTTP method '{}'", method));
    if (method_ == http::method::connect)
        throw std::invalid_argument("method CONNECT cannot be sent directly; use an https URL and a proxy");
}

client_request::client_request(http::method method, std::string url)
    : client_request(http::to_string(method), std::move(url)) {}

client_request& client_request::field(std::string_view name, std::string_view value) & {
    if (http::equals_ignore_case(name, "host") || http::is_connection_field(name)) {
        throw std::invalid_argument(
            fmt::format("field {} cannot be set: the client derives it from the URL and the body", name));
    }
    fields_.add(name, value);
    return *this;
}

client_request& client_request::host(std::string value) & {
    if (!http::parse_authority(value))
        throw std::invalid_argument(fmt::format("invalid Host '{}'; expected HOST or HOST:PORT", value));
    host_ = std::move(value);
    return *this;
}

client_request& client_request::body(std::string bytes, std::string_view type) & {
    body_ = std::move(bytes);
    source_.reset();
    has_body_ = true;
    if (!type.empty()) fields_.set("Content-Type", type);
    return *this;
}

client_request& client_request::body(std::unique_ptr<client_body> source, std::string_view type) & {
    body_.clear();
    source_ = std::move(source);
    has_body_ = true;
    if (!type.empty()) fields_.set("Content-Type", type);
    return *this;
}

client_request& client_request::body(async_generator<std::string> pieces, std::string_view type,
                                     std::optional<std::uint64_t> length) & {
    return body(std::make_unique<generated_body>(std::move(pieces), length), type);
}

client_request& client_request::basic_auth(std::string_view user, std::string_view password) & {
    if (user.find(':') != std::string_view::npos)
        throw std::invalid_argument("the user name for basic authentication contains a colon (RFC 7617 section 2)");
    fields_.set("Authorization", "Basic " + codec::base64_encode(fmt::format("{}:{}", user, password)));
    return *this;
}

client_request& client_request::bearer(std::string_view token) & {
    fields_.set("Authorization", fmt::format("Bearer {}", token));
    return *this;
}

}  // namespace rondo
