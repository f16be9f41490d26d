// SPDX-License-Identifier: Apache-2.0
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

/// A body that is not a text in memory: a file, a stream, events. Lives until its response is sent.
class body_source {
public:
    virtual ~body_source() = default;
    /// Sends the whole response: responder.respond(), or begin(), write()s and finish(). Called once, on the loop. May
    /// change the head (a copy) to state another status or type. When responder.body_wanted() is false nothing needs to
    /// be made. What it throws is handled like a failure of the view; once it has begun, the connection is aborted.
    [[nodiscard]] virtual task<void> send(handler::responder& to, const handler::response_head& head, request& req) = 0;
};

/// Text that lives as long as the program (a literal, embedded files): a response refers to it and copies nothing.
struct static_text {
    std::string_view text;
};

/// What a view returns. Made by text(), html(), json(), bytes(), redirect(), status(), file(), stream(), sse() ...;
/// the setters chain: `return text("made").status(201).field("X-Note", "new");`. Move-only.
class response {
public:
    using body_type = std::variant<std::string_view, std::string, std::unique_ptr<body_source>>;

    /// 200 without a body and without a type.
    response() noexcept = default;
    /// `static_type` is a valid field value that lives as long as the program. A std::string_view body likewise.
    response(http::status code, std::string_view static_type, body_type body) noexcept
        : body_(std::move(body)), static_type_(static_type), code_(code) {}
    response(response&&) noexcept = default;
    response& operator=(response&&) noexcept = default;
    response(const response&) = delete;
    response& operator=(const response&) = delete;
    ~response() = default;

    /// 200 to 599; throws std::invalid_argument otherwise.
    response& status(int code) &;
    response&& status(int code) && { return std::move(status(code)); }
    response& status(http::status code) & { return status(http::to_int(code)); }
    response&& status(http::status code) && { return std::move(status(http::to_int(code))); }

    /// Sets a field; one that is there already is replaced. Throws std::invalid_argument for CR, LF, NUL and what else
    /// no field can hold, and for the fields that the server writes itself (Content-Length, Connection, Date ...).
    response& field(std::string_view name, std::string_view value) &;
    response&& field(std::string_view name, std::string_view value) && { return std::move(field(name, value)); }
    /// Adds a further line of the same name.
    response& add_field(std::string_view name, std::string_view value) &;
    response&& add_field(std::string_view name, std::string_view value) && { return std::move(add_field(name, value)); }
    /// Content-Type.
    response& type(std::string_view media_type) &;
    response&& type(std::string_view media_type) && { return std::move(type(media_type)); }
    /// Adds a Set-Cookie line; see http::set_cookie for the safe defaults (HttpOnly, SameSite=Lax, Path=/).
    response& cookie(std::string_view name, std::string_view value) &;
    response&& cookie(std::string_view name, std::string_view value) && { return std::move(cookie(name, value)); }
    response& cookie(const http::set_cookie& cookie) &;
    response&& cookie(const http::set_cookie& c) && { return std::move(cookie(c)); }
    /// Ends the connection after this response.
    response& close() & { return close_ = true, *this; }
    response&& close() && { return close_ = true, std::move(*this); }

    [[nodiscard]] http::status code() const noexcept { return code_; }
    [[nodiscard]] const http::fields& fields() const noexcept { return fields_; }
    [[nodiscard]] http::fields& fields() noexcept { return fields_; }
    /// Empty when there is none.
    [[nodiscard]] std::string_view content_type() const noexcept;
    /// The body when it is a text in memory; empty otherwise.
    [[nodiscard]] std::string_view text() const noexcept;
    [[nodiscard]] const body_type& body() const noexcept { return body_; }
    [[nodiscard]] body_type& body() noexcept { return body_; }

    /// The head as the responder takes it; refers to this response.
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

/// text/plain; charset=utf-8
[[nodiscard]] response text(std::string body);
[[nodiscard]] response text(std::string_view body);
[[nodiscard]] response text(const char* body);
[[nodiscard]] response text(static_text body) noexcept;
/// text/html; charset=utf-8. The text is sent as it is: escape what came from outside with html_escape().
[[nodiscard]] response html(std::string body);
[[nodiscard]] response html(static_text body) noexcept;
/// `type` becomes the Content-Type as it is.
[[nodiscard]] response bytes(std::string body, std::string_view type = "application/octet-stream");
[[nodiscard]] response bytes(static_text body, std::string_view type = "application/octet-stream");
/// application/json. Include <rondo/codec/json.hpp> for json_value.
[[nodiscard]] response json(const codec::json_value& value);
/// Text that is JSON already.
[[nodiscard]] response json_text(std::string json);
/// 301, 302, 303, 307 or 308 with a Location; bytes that no URI may hold are percent-encoded.
[[nodiscard]] response redirect(std::string_view url, int code = 303);
/// 204
[[nodiscard]] response no_content() noexcept;
/// A status with its reason phrase as a text body.
[[nodiscard]] response status(int code);
/// Any other body, with a type that lives as long as the program.
[[nodiscard]] response with_source(std::unique_ptr<body_source> source, std::string_view static_type) noexcept;

/// `& < > " '` as references, for text between tags and within quoted attributes.
[[nodiscard]] std::string html_escape(std::string_view text);

}  // namespace rondo
