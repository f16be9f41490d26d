// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <rondo/client/client.hpp>
#include <rondo/client/exchange.hpp>
#include <rondo/client/pool.hpp>
#include <rondo/http/url.hpp>

namespace rondo::detail {

/// One call of a client: a request, its retry, its redirects. Belongs to the loop's thread.
class client_call {
public:
    /// `request` must outlive it; it is changed on the way.
    client_call(client_pool& pool, client_request& request, client_response_handler* then);

    /// Sends the request, again where that is safe, and follows redirects. Throws client_error without the URL.
    [[nodiscard]] task<client_response> run(bool whole);
    /// "GET http://127.0.0.1/"
    [[nodiscard]] std::string text() const;

private:
    [[nodiscard]] task<void> attempt(bool fresh);
    static task<void> hand_over(void* self);
    [[nodiscard]] bool may_retry() const noexcept;
    /// Where the response sends to, when it is to be followed there.
    [[nodiscard]] std::optional<http::url> elsewhere() const;
    void redirect(http::url to);
    /// Authorization from the user information of a URL.
    void use_credentials(const http::url& of);
    void begin_attempt();
    void take_cookies();
    void decode_if_asked();
    void prepare();

    client_pool& pool_;
    client_request& request_;
    client_response_handler* then_;
    client_timeouts limits_;
    http::url to_;
    instant until_ = instant::max();
    unsigned redirects_ = 0;
    bool handled_ = false;
    bool decodes_ = false;
    bool uses_jar_ = false;
    std::string host_;
    std::string target_;
    std::shared_ptr<client_exchange> exchange_;
};

}  // namespace rondo::detail
