// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/response.hpp>

#include <algorithm>
#include <stdexcept>

#include <rondo/codec/json.hpp>
#include <rondo/codec/percent.hpp>
#include <rondo/http/cookie.hpp>
#include <rondo/http/status.hpp>

namespace rondo {
namespace {

constexpr std::string_view plain_type = "text/plain; charset=utf-8";
constexpr std::string_view html_type = "text/html; charset=utf-8";
constexpr std::string_view json_type = "application/json";

void reject_server_field(std::string_view name) {
    if (http::is_connection_field(name) || http::equals_ignore_case(name, "Date")) {
        throw std::invalid_argument("cannot set the field '" + std::string(name) +
                                    "': the server writes it; to close the connection, call close()");
    }
}

}  // namespace

response& response::status(int code) & {
    if (code < 200 || code > 599) {
        throw std::invalid_argument("invalid response status " + std::to_string(code) + "; expected 200 to 599");
    }
    code_ = static_cast<http::status>(code);
    return *this;
}

response& response::field(std::string_view name, std::string_view value) & {
    if (http::equals_ignore_case(name, "Content-Type")) return type(value);
    reject_server_field(name);
    fields_.set(name, value);
    return *this;
}

response& response::add_field(std::string_view name, std::string_view value) & {
    if (http::equals_ignore_case(name, "Content-Type")) return type(value);
    reject_server_field(name);
    fields_.add(name, value);
    return *this;
}

response& response::type(std::string_view media_type) & {
    fields_.set("Content-Type", media_type);
    static_type_ = {};
    return *this;
}

response& response::cookie(std::string_view name, std::string_view value) & {
    http::set_cookie plain;
    plain.name = name;
    plain.value = value;
    return cookie(plain);
}

response& response::cookie(const http::set_cookie& cookie) & {
    fields_.add("Set-Cookie", http::to_string(cookie));
    return *this;
}

std::string_view response::content_type() const noexcept {
    return static_type_.empty() ? fields_.find("Content-Type").value_or(std::string_view()) : static_type_;
}

std::string_view response::text() const noexcept {
    if (const auto* owned = std::get_if<std::string>(&body_)) return *owned;
    if (const auto* view = std::get_if<std::string_view>(&body_)) return *view;
    return {};
}

response text(std::string body) { return {http::status::ok, plain_type, std::move(body)}; }
response text(std::string_view body) { return text(std::string(body)); }
response text(const char* body) { return text(std::string(body)); }
response text(static_text body) noexcept { return {http::status::ok, plain_type, body.text}; }

response html(std::string body) { return {http::status::ok, html_type, std::move(body)}; }
response html(static_text body) noexcept { return {http::status::ok, html_type, body.text}; }

response bytes(std::string body, std::string_view type) {
    return response(http::status::ok, {}, std::move(body)).type(type);
}
response bytes(static_text body, std::string_view type) { return response(http::status::ok, {}, body.text).type(type); }

response json(const codec::json_value& value) { return json_text(codec::to_string(value)); }
response json_text(std::string json) { return {http::status::ok, json_type, std::move(json)}; }

response redirect(std::string_view url, int code) {
    constexpr int allowed[] = {301, 302, 303, 307, 308};
    if (std::find(std::begin(allowed), std::end(allowed), code) == std::end(allowed)) {
        throw std::invalid_argument("invalid redirect status " + std::to_string(code) +
                                    "; expected 301, 302, 303, 307 or 308");
    }
    return response().status(code).field("Location", codec::percent_encode(url, codec::percent_set::url));
}

response no_content() noexcept { return {http::status::no_content, {}, std::string_view()}; }

response status(int code) {
    auto r = response().status(code);
    const auto reason = http::reason(r.code());
    if (http::sent_without_content(r.code()) || reason.empty()) return r;
    return response(r.code(), plain_type, std::string(reason) + '\n');
}

response with_source(std::unique_ptr<body_source> source, std::string_view static_type) noexcept {
    return {http::status::ok, static_type, std::move(source)};
}

std::string html_escape(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        switch (c) {
            case '&': out += "&amp;"; break;
            case '<': out += "&lt;"; break;
            case '>': out += "&gt;"; break;
            case '"': out += "&quot;"; break;
            case '\'': out += "&#39;"; break;
            default: out += c;
        }
    }
    return out;
}

}  // namespace rondo
