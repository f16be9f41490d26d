// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <rondo/client/options.hpp>
#include <rondo/coro/async_generator.hpp>
#include <rondo/coro/task.hpp>
#include <rondo/http/fields.hpp>
#include <rondo/http/method.hpp>

namespace rondo {

namespace detail {
class client_call;
}

/// Where the body of a request comes from, piece by piece. On the loop thread, one read at a time.
class client_body {
public:
    virtual ~client_body() = default;
    /// The next bytes, which hold until the next call; empty at the end. A failure ends the call with it.
    [[nodiscard]] virtual task<std::string_view> read() = 0;
    /// The size when it is known: sent as Content-Length; otherwise the body goes in chunks.
    [[nodiscard]] virtual std::optional<std::uint64_t> length() const noexcept { return std::nullopt; }
};

/// A request of the client, set up in a chain:
///     co_await client.send(client_request("PUT", url).field("If-Match", tag).body(text, "text/plain"))
/// Host, Content-Length, Transfer-Encoding and Connection are the client's part.
class client_request {
public:
    /// `method` is any token; throws std::invalid_argument otherwise. The URL is looked at when the request is sent.
    client_request(std::string_view method, std::string url);
    client_request(http::method method, std::string url);

    /// Adds a line. Throws std::invalid_argument as http::fields::add(), and for the fields that are the client's part.
    client_request& field(std::string_view name, std::string_view value) &;
    client_request&& field(std::string_view name, std::string_view value) && { return std::move(field(name, value)); }

    client_request& body(std::string bytes, std::string_view type = {}) &;
    client_request&& body(std::string bytes, std::string_view type = {}) && {
        return std::move(body(std::move(bytes), type));
    }
    /// A streamed body is sent while it is made, no faster than the server takes it. It is sent once: neither retried
    /// nor redirected.
    client_request& body(std::unique_ptr<client_body> source, std::string_view type = {}) &;
    client_request&& body(std::unique_ptr<client_body> source, std::string_view type = {}) && {
        return std::move(body(std::move(source), type));
    }
    client_request& body(async_generator<std::string> pieces, std::string_view type = {},
                         std::optional<std::uint64_t> length = {}) &;
    client_request&& body(async_generator<std::string> pieces, std::string_view type = {},
                          std::optional<std::uint64_t> length = {}) && {
        return std::move(body(std::move(pieces), type, length));
    }

    /// Authorization: Basic (RFC 7617) and Bearer (RFC 6750). Not sent on to another origin by a redirect.
    client_request& basic_auth(std::string_view user, std::string_view password) &;
    client_request&& basic_auth(std::string_view user, std::string_view password) && {
        return std::move(basic_auth(user, password));
    }
    client_request& bearer(std::string_view token) &;
    client_request&& bearer(std::string_view token) && { return std::move(bearer(token)); }

    /// The value of Host, instead of the URL's host; not for another origin that a redirect leads to.
    client_request& host(std::string value) &;
    client_request&& host(std::string value) && { return std::move(host(std::move(value))); }

    /// Instead of the client's own settings.
    client_request& timeouts(const client_timeouts& t) & { return timeouts_ = t, *this; }
    client_request&& timeouts(const client_timeouts& t) && { return std::move(timeouts(t)); }
    client_request& max_body(std::uint64_t bytes) & { return max_body_ = bytes, *this; }
    client_request&& max_body(std::uint64_t bytes) && { return std::move(max_body(bytes)); }
    /// False: the body of the response is given as it comes, and only what a field of the request asks for is coded.
    client_request& decode(bool on) & { return decode_ = on, *this; }
    client_request&& decode(bool on) && { return std::move(decode(on)); }
    client_request& max_redirects(unsigned count) & { return max_redirects_ = count, *this; }
    client_request&& max_redirects(unsigned count) && { return std::move(max_redirects(count)); }

    [[nodiscard]] const std::string& method() const noexcept { return method_text_; }
    [[nodiscard]] const std::string& url() const noexcept { return url_; }

private:
    friend class client;
    friend class detail::client_call;

    std::string method_text_;
    std::string url_;
    std::string host_;
    http::fields fields_;
    std::string body_;
    std::unique_ptr<client_body> source_;
    std::optional<client_timeouts> timeouts_;
    std::optional<std::uint64_t> max_body_;
    std::optional<unsigned> max_redirects_;
    std::optional<bool> decode_;
    http::method method_;
    bool has_body_ = false;
};

}  // namespace rondo
