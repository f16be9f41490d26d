// SPDX-License-Identifier: Apache-2.0
// A request of the HTTP client and the source of its body.
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

/// Produces a request body piece by piece. Called on the loop thread, one read at a time.
class client_body {
public:
    virtual ~client_body() = default;
    /// The next bytes, valid until the next call; empty at the end. What it throws, the call throws.
    [[nodiscard]] virtual task<std::string_view> read() = 0;
    /// The size if known, sent as Content-Length; otherwise the body is sent chunked.
    [[nodiscard]] virtual std::optional<std::uint64_t> length() const noexcept { return std::nullopt; }
};

/// A request of the client, built in a chain:
///     co_await client.send(client_request("PUT", url).field("If-Match", tag).body(text, "text/plain"))
/// The client sets Host, Content-Length, Transfer-Encoding and Connection.
class client_request {
public:
    /// Throws std::invalid_argument when `method` is not a token. The URL is parsed when the request is sent.
    client_request(std::string_view method, std::string url);
    client_request(http::method method, std::string url);

    /// Adds a field line. Throws std::invalid_argument like http::fields::add(), and for fields that the client sets.
    client_request& field(std::string_view name, std::string_view value) &;
    client_request&& field(std::string_view name, std::string_view value) && { return std::move(field(name, value)); }

    client_request& body(std::string bytes, std::string_view type = {}) &;
    client_request&& body(std::string bytes, std::string_view type = {}) && {
        return std::move(body(std::move(bytes), type));
    }
    /// A streamed body is sent while it is produced, no faster than the server reads. It is sent once: neither retried
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

    /// Authorization: Basic (RFC 7617) and Bearer (RFC 6750). Removed when a redirect leads to another origin.
    client_request& basic_auth(std::string_view user, std::string_view password) &;
    client_request&& basic_auth(std::string_view user, std::string_view password) && {
        return std::move(basic_auth(user, password));
    }
    client_request& bearer(std::string_view token) &;
    client_request&& bearer(std::string_view token) && { return std::move(bearer(token)); }

    /// The value of Host, instead of the URL's host. Dropped when a redirect leads to another origin.
    client_request& host(std::string value) &;
    client_request&& host(std::string value) && { return std::move(host(std::move(value))); }

    /// Overrides of the client's options.
    client_request& timeouts(const client_timeouts& t) & { return timeouts_ = t, *this; }
    client_request&& timeouts(const client_timeouts& t) && { return std::move(timeouts(t)); }
    client_request& max_body(std::uint64_t bytes) & { return max_body_ = bytes, *this; }
    client_request&& max_body(std::uint64_t bytes) && { return std::move(max_body(bytes)); }
    /// False: sends no Accept-Encoding by itself and returns the response body undecoded.
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
