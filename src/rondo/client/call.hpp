// SPDX-License-Identifier: Apache-2.0
// One call of the HTTP client: the request with its retry, redirects and cookies.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <rondo/client/client.hpp>
#include <rondo/client/exchange.hpp>
#include <rondo/client/pool.hpp>
#include <rondo/http/url.hpp>

namespace rondo::detail {

/// One call of a client: a request, its retry, its redirects. Use on the loop thread only.
class client_call {
public:
    /// `request` must outlive the call, which modifies it.
    client_call(client_pool& pool, client_request& request, client_response_handler* handler);

    /// Sends the request, retries where that is safe, and follows redirects. Throws client_error without the URL.
    [[nodiscard]] task<client_response> run(bool read_all);
    /// For messages: "GET http://127.0.0.1/".
    [[nodiscard]] std::string text() const;

private:
    [[nodiscard]] task<void> attempt(bool fresh);
    static task<void> run_handler(void* self);
    [[nodiscard]] bool may_retry() const noexcept;
    /// The target of a redirect that is to be followed.
    [[nodiscard]] std::optional<http::url> redirect_target() const;
    void redirect(http::url to);
    /// Sets Authorization from the user information of a URL.
    void set_credentials(const http::url& from);
    void begin_attempt();
    void store_cookies();
    void start_decoding();
    void prepare();

    client_pool& pool_;
    client_request& request_;
    client_response_handler* handler_;
    client_timeouts timeouts_;
    http::url url_;
    instant deadline_ = instant::max();
    unsigned redirects_ = 0;
    bool handled_ = false;
    bool decoding_enabled_ = false;
    bool uses_jar_ = false;
    std::string host_;
    std::string target_;
    std::shared_ptr<client_exchange> exchange_;
};

}  // namespace rondo::detail
