// SPDX-License-Identifier: Apache-2.0
// A response of the HTTP client.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <rondo/coro/task.hpp>
#include <rondo/http/fields.hpp>
#include <rondo/http/status.hpp>

namespace rondo {

namespace codec {
class json_value;
}
namespace detail {
class client_exchange;
class client_call;
}  // namespace detail

/// A response of the client. A response of send(), get() and the like is complete and may be used on any thread; one of
/// open() is read from the connection, on the loop thread only, and closes the connection when destroyed before its
/// end. Move-only.
class client_response {
public:
    client_response() noexcept;
    client_response(std::shared_ptr<detail::client_exchange> exchange, std::string url) noexcept;
    client_response(client_response&&) noexcept;
    client_response& operator=(client_response&&) noexcept;
    ~client_response();

    [[nodiscard]] http::status status() const noexcept;
    /// The status as a number.
    [[nodiscard]] int code() const noexcept { return http::to_int(status()); }
    /// 200 to 299
    [[nodiscard]] bool ok() const noexcept { return code() >= 200 && code() < 300; }
    [[nodiscard]] http::fields_view fields() const noexcept;
    /// The first line with this name, ignoring case.
    [[nodiscard]] std::optional<std::string_view> field(std::string_view name) const noexcept {
        return fields().find(name);
    }
    /// The URL after redirects, without user information.
    [[nodiscard]] const std::string& url() const noexcept { return url_; }
    /// The Content-Length; for an encoded body that of the encoded bytes.
    [[nodiscard]] std::optional<std::uint64_t> length() const noexcept;

    /// The whole body, after send() or read_all().
    [[nodiscard]] const std::string& body() const& noexcept { return body_; }
    [[nodiscard]] std::string body() && noexcept { return std::move(body_); }
    /// The whole body as JSON. Throws client_error (protocol) when it is not JSON.
    [[nodiscard]] codec::json_value json() const;

    /// After open(): the next bytes of the body, valid until the next call; empty at the end. Throws client_error,
    /// `cancelled`.
    [[nodiscard]] task<std::string_view> read();
    /// Reads the rest into body().
    [[nodiscard]] task<const std::string&> read_all();
    /// Trailer fields, after the end of the body; null: none.
    [[nodiscard]] const http::fields* trailers() const noexcept;

private:
    friend class detail::client_call;

    std::shared_ptr<detail::client_exchange> exchange_;  // shared with the call until that ends
    std::string url_;
    std::string body_;
};

}  // namespace rondo
