// SPDX-License-Identifier: Apache-2.0
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

/// A response of the client. What send() and its kin give is whole and may be used on any thread; what open() gives is
/// read from the connection and belongs to the loop's thread. Destroyed before it was read to its end it closes the
/// connection. Move-only.
class client_response {
public:
    client_response() noexcept;
    client_response(std::shared_ptr<detail::client_exchange> from, std::string url) noexcept;
    client_response(client_response&&) noexcept;
    client_response& operator=(client_response&&) noexcept;
    ~client_response();

    [[nodiscard]] http::status status() const noexcept;
    /// The same as a number.
    [[nodiscard]] int code() const noexcept { return http::to_int(status()); }
    /// 200 to 299
    [[nodiscard]] bool ok() const noexcept { return code() >= 200 && code() < 300; }
    [[nodiscard]] http::fields_view fields() const noexcept;
    /// The first line of this name, without case.
    [[nodiscard]] std::optional<std::string_view> field(std::string_view name) const noexcept {
        return fields().find(name);
    }
    /// Where it came from, after redirects; without user information.
    [[nodiscard]] const std::string& url() const noexcept { return url_; }
    /// The Content-Length stated; of a coded body that of the coded one.
    [[nodiscard]] std::optional<std::uint64_t> length() const noexcept;

    /// The whole body, after send() or read_all().
    [[nodiscard]] const std::string& body() const& noexcept { return body_; }
    [[nodiscard]] std::string body() && noexcept { return std::move(body_); }
    /// The whole body as JSON. Throws client_error (protocol) when it is none.
    [[nodiscard]] codec::json_value json() const;

    /// After open(): the next bytes of the body, which hold until the next call; empty at the end. Throws client_error,
    /// `cancelled`.
    [[nodiscard]] task<std::string_view> read();
    /// The rest, kept in body().
    [[nodiscard]] task<const std::string&> read_all();
    /// Trailer fields after the end of the body; null when there were none.
    [[nodiscard]] const http::fields* trailers() const noexcept;

private:
    friend class detail::client_call;

    std::shared_ptr<detail::client_exchange> from_;  // with the call while that is at work
    std::string url_;
    std::string body_;
};

}  // namespace rondo
