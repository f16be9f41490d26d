// SPDX-License-Identifier: Apache-2.0
// The interface through which an application sends a response.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <rondo/coro/task.hpp>
#include <rondo/http/fields.hpp>
#include <rondo/http/status.hpp>

namespace rondo::handler {

/// The head of a response. The status must be from 200 to 599 and the reason valid (response_error otherwise). The
/// server adds Date, framing and Connection fields. The string views must be valid until the call returns.
struct response_head {
    http::status code = http::status::ok;
    std::string_view content_type;         ///< empty: no Content-Type field; otherwise a valid field value
    const http::fields* fields = nullptr;  ///< further fields, without connection fields (is_connection_field)
    bool close = false;                    ///< close the connection after this response
    bool has_date = false;                 ///< `fields` contains Date: the server adds none
    std::string_view reason{};             ///< reason phrase, a valid field value; empty: the standard one
};

/// Sends one response: either one respond(), or start(), any number of write() and finish(). inform() may precede it.
/// Used on the loop thread. For HEAD, 204, 205 and 304 the server omits the body by itself; with needs_body() an
/// application can avoid making it.
class responder {
public:
    /// Sends a whole response whose body has at most `small_body_limit` bytes, with Content-Length. Never waits.
    virtual void respond(const response_head& head, std::string_view body) = 0;
    static constexpr std::size_t small_body_limit = 16384;

    /// Sends an interim response before the response, such as 103 (Early Hints; RFC 9110 section 15.2). Does nothing
    /// for an HTTP/1.0 client. Throws response_error after the start and for a status other than 102 to 199: 100 and
    /// 101 are sent by the server.
    virtual void inform(http::status code, const http::fields& fields) = 0;

    /// Sends the head of a response whose body follows. Without a length, the body is chunked, or ends with the
    /// connection (HTTP/1.0).
    virtual void start(const response_head& head, std::optional<std::uint64_t> length) = 0;
    /// Sends a part of the body; waits while the client is slow. `bytes` must be valid until the await ends; empty does
    /// nothing. Throws response_error beyond the declared length; std::system_error or `cancelled` when the client
    /// closed the connection.
    [[nodiscard]] virtual task<void> write(std::string_view bytes) = 0;
    /// Sends a part of the body without waiting; `bytes` is copied. Returns false, without effect, when the client is
    /// slow (write() would wait), and for more than `large_write` bytes (write() does not copy them). Throws like
    /// write().
    [[nodiscard]] virtual bool try_write(std::string_view bytes) = 0;
    static constexpr std::size_t large_write = 256 * 1024;
    /// Waits until try_write() of up to `large_write` bytes can succeed. Throws like write().
    [[nodiscard]] virtual task<void> wait_for_room() = 0;
    /// Sends `length` bytes of a regular file from `offset`. The caller keeps ownership of `fd`. Never blocks the loop.
    [[nodiscard]] virtual task<void> write_file(int fd, std::uint64_t offset, std::uint64_t length) = 0;
    /// Ends the response. Throws response_error when fewer bytes were written than declared.
    virtual void finish() = 0;
    /// Ends the response with trailer fields, which are sent only when the body is chunked and the client accepts them
    /// (`TE: trailers`). Throws like finish(); also, without effect, for a field that is not allowed in trailers
    /// (http::h1::is_allowed_in_trailer).
    virtual void finish_with(const http::fields& trailers) = 0;
    /// Closes the connection so that the client detects an incomplete response. Nothing can be sent afterwards.
    virtual void abort() noexcept = 0;
    /// The same, but responds with this error status if nothing of the response was sent yet.
    virtual void abort_with(http::status) noexcept { abort(); }

    /// True after respond() or start().
    [[nodiscard]] virtual bool has_started() const noexcept = 0;
    /// False for HEAD.
    [[nodiscard]] virtual bool needs_body() const noexcept = 0;
    /// The status of the response and the body bytes accepted so far, for logs.
    [[nodiscard]] virtual http::status code() const noexcept = 0;
    [[nodiscard]] virtual std::uint64_t body_bytes() const noexcept = 0;

protected:
    ~responder() = default;
    /// The checks of inform() and finish_with() that do not depend on the state of the response. Throw response_error.
    static void check_interim(http::status code);
    static void check_trailers(const http::fields& trailers);
};

}  // namespace rondo::handler
