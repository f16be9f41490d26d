// SPDX-License-Identifier: Apache-2.0
// The response that a view returns, and the functions that make one.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include <rondo/coro/task.hpp>
#include <rondo/handler/responder.hpp>

namespace rondo::codec {
class json_value;
}
namespace rondo::http {
struct set_cookie;
}

namespace rondo {

class request;

/// A body that is not text in memory: a file, a stream, events. Lives until its response is sent.
class body_source {
public:
    virtual ~body_source() = default;
    /// Sends the whole response: with responder.respond(), or start(), write() and finish(). Called once, on the loop.
    /// May send a changed copy of the head, with another status or type. Need not produce a body when
    /// responder.needs_body() is false. Exceptions are handled like those of a view; once the response has started,
    /// they abort the connection.
    [[nodiscard]] virtual task<void> send(handler::responder& to, const handler::response_head& head, request& req) = 0;
};

/// Text that lives as long as the program (a literal, an embedded file), so that a response refers to it without a
/// copy.
struct static_text {
    std::string_view text;
};

/// A response. Made by text(), html(), json(), bytes(), redirect(), status(), file(), stream(), sse() and others. The
/// setters chain: `return text("created").status(201).field("X-Note", "new");`. Move-only.
class response {
public:
    using body_type = std::variant<std::string_view, std::string, std::unique_ptr<body_source>>;

    /// Makes a response with status 200, no body and no type.
    response() noexcept = default;
    /// `static_type`, and the body if it is a std::string_view, must live as long as the program. `static_type` must be
    /// a valid field value.
    response(http::status code, std::string_view static_type, body_type body) noexcept
        : body_(std::move(body)), static_type_(static_type), code_(code) {}
    response(response&&) noexcept = default;
    response& operator=(response&&) noexcept = default;
    response(const response&) = delete;
    response& operator=(const response&) = delete;
    ~response() = default;

    /// Sets the status. Throws std::invalid_argument unless it is 200 to 599.
    response& status(int code) &;
    response&& status(int code) && { return std::move(status(code)); }
    response& status(http::status code) & { return status(http::to_int(code)); }
    response&& status(http::status code) && { return std::move(status(http::to_int(code))); }

    /// Sets a header field, replacing an existing one. Throws std::invalid_argument for invalid names and values (CR,
    /// LF, NUL and other control characters), and for fields that the server writes (Content-Length, Connection, Date
    /// ...).
    response& field(std::string_view name, std::string_view value) &;
    response&& field(std::string_view name, std::string_view value) && { return std::move(field(name, value)); }
    /// Adds a header field without replacing existing ones of the same name.
    response& add_field(std::string_view name, std::string_view value) &;
    response&& add_field(std::string_view name, std::string_view value) && { return std::move(add_field(name, value)); }
    /// Sets Content-Type.
    response& type(std::string_view media_type) &;
    response&& type(std::string_view media_type) && { return std::move(type(media_type)); }
    /// Adds a Set-Cookie field; see http::set_cookie for the safe defaults (HttpOnly, SameSite=Lax, Path=/).
    response& cookie(std::string_view name, std::string_view value) &;
    response&& cookie(std::string_view name, std::string_view value) && { return std::move(cookie(name, value)); }
    response& cookie(const http::set_cookie& cookie) &;
    response&& cookie(const http::set_cookie& c) && { return std::move(cookie(c)); }
    /// Closes the connection after this response.
    response& close() & { return close_ = true, *this; }
    response&& close() && { return close_ = true, std::move(*this); }

    [[nodiscard]] http::status code() const noexcept { return code_; }
    [[nodiscard]] const http::fields& fields() const noexcept { return fields_; }
    [[nodiscard]] http::fields& fields() noexcept { return fields_; }
    /// Returns the content type, or an empty text.
    [[nodiscard]] std::string_view content_type() const noexcept;
    /// Returns the body if it is text in memory, otherwise an empty text.
    [[nodiscard]] std::string_view text() const noexcept;
    [[nodiscard]] const body_type& body() const noexcept { return body_; }
    [[nodiscard]] body_type& body() noexcept { return body_; }

    /// Returns the head for the responder; it refers to this response.
    [[nodiscard]] handler::response_head head() const noexcept {
        return {code_, static_type_, fields_.empty() ? nullptr : &fields_, close_};
    }

private:
    body_type body_;
    std::string_view static_type_;
    http::fields fields_;
    http::status code_ = http::status::ok;
    bool close_ = false;
};

/// Makes a response of type text/plain; charset=utf-8.
[[nodiscard]] response text(std::string body);
[[nodiscard]] response text(std::string_view body);
[[nodiscard]] response text(const char* body);
[[nodiscard]] response text(static_text body) noexcept;
/// Makes a response of type text/html; charset=utf-8. The text is sent unchanged; escape untrusted parts with
/// html_escape().
[[nodiscard]] response html(std::string body);
[[nodiscard]] response html(static_text body) noexcept;
/// Makes a response with `type` as its Content-Type.
[[nodiscard]] response bytes(std::string body, std::string_view type = "application/octet-stream");
[[nodiscard]] response bytes(static_text body, std::string_view type = "application/octet-stream");
/// Makes a response of type application/json. Include <rondo/codec/json.hpp> for json_value.
[[nodiscard]] response json(const codec::json_value& value);
/// Makes a response of type application/json from serialized JSON.
[[nodiscard]] response json_text(std::string json);
/// Makes a redirect (301, 302, 303, 307 or 308) to `url`; bytes that are invalid in a URI are percent-encoded. Throws
/// std::invalid_argument for another status.
[[nodiscard]] response redirect(std::string_view url, int code = 303);
/// Makes a 204 response.
[[nodiscard]] response no_content() noexcept;
/// Makes a response with this status and its reason phrase as a text body.
[[nodiscard]] response status(int code);
/// Makes a response with a custom body. `static_type` must live as long as the program.
[[nodiscard]] response with_source(std::unique_ptr<body_source> source, std::string_view static_type) noexcept;

/// Replaces `& < > " '` with character references, for text between tags and in quoted attributes.
[[nodiscard]] std::string html_escape(std::string_view text);

}  // namespace rondo
