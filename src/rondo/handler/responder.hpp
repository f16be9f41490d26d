// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <rondo/coro/task.hpp>
#include <rondo/http/fields.hpp>
#include <rondo/http/status.hpp>

namespace rondo::handler {

/// The head of a response as an application states it. The status is from 200 to 599 (response_error otherwise). Date,
/// framing and Connection are the server's part. The views must hold until the call returns.
struct response_head {
    http::status code = http::status::ok;
    std::string_view content_type;         ///< empty: no Content-Type field; otherwise a valid field value
    const http::fields* fields = nullptr;  ///< further lines, without connection fields (is_connection_field)
    bool close = false;                    ///< end the connection after this response
};

/// Takes one response. On the loop thread. Either one respond() or begin(), write()s and finish().
/// For HEAD, 204, 205 and 304 the server leaves the body out by itself; body_wanted() lets an application not make one.
class responder {
public:
    /// A whole response whose body is at most `small_body` bytes; never waits. Content-Length is written.
    virtual void respond(const response_head& head, std::string_view body) = 0;
    static constexpr std::size_t small_body = 16384;

    /// The head of a response whose body follows. Without a length: chunked, or up to the end of the connection (1.0).
    virtual void begin(const response_head& head, std::optional<std::uint64_t> length) = 0;
    /// A part of the body; waits while the client is slow. `bytes` must hold until the await ends; empty does nothing.
    /// Throws response_error past the declared length, std::system_error or `cancelled` when the client is gone.
    [[nodiscard]] virtual task<void> write(std::string_view bytes) = 0;
    /// `length` bytes of a regular file from `offset`. The descriptor stays the caller's. Never blocks the loop.
    [[nodiscard]] virtual task<void> write_file(int fd, std::uint64_t offset, std::uint64_t length) = 0;
    /// The end. Throws response_error when fewer bytes were written than declared.
    virtual void finish() = 0;
    /// Ends the connection such that the client sees that the response is not complete. Nothing can be sent after it.
    virtual void abort() noexcept = 0;
    /// The same, with the error status that the client gets when nothing of the response is on its way yet.
    virtual void abort_as(http::status) noexcept { abort(); }

    /// True from respond() or begin() on.
    [[nodiscard]] virtual bool begun() const noexcept = 0;
    /// False for HEAD.
    [[nodiscard]] virtual bool body_wanted() const noexcept = 0;
    /// The status begun with and body bytes taken so far, for logs.
    [[nodiscard]] virtual http::status code() const noexcept = 0;
    [[nodiscard]] virtual std::uint64_t body_bytes() const noexcept = 0;

protected:
    ~responder() = default;
};

}  // namespace rondo::handler
