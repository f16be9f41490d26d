// SPDX-License-Identifier: Apache-2.0
// The reverse-proxy view.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <rondo/client/client.hpp>
#include <rondo/coro/task.hpp>
#include <rondo/web/request.hpp>
#include <rondo/web/response.hpp>
#include <rondo/web/setting.hpp>

namespace rondo {

/// Returns client options for a proxy: redirects are not followed, content is not decoded, no User-Agent is added, and
/// the response size is unlimited, because responses are not buffered.
[[nodiscard]] client_options proxy_client_options();

struct proxy_options {
    client_options client = proxy_client_options();
    bool keep_host = false;      ///< forward the request's Host instead of the upstream's
    std::string strip_prefix;    ///< removed from the path at a segment boundary: "/api" from "/api/x", not "/apifoo"
    std::string name = "rondo";  ///< of this proxy in Via
};

/// A view that forwards requests to an upstream: `app.any("/<path:rest>", proxy("http://127.0.0.1:9000"))`.
///
/// Both bodies are streamed with back-pressure, concurrently if the upstream responds early; the route's body_limit
/// limits the request body. Hop-by-hop fields (RFC 9110 section 7.6.1) are omitted, as are request fields that only a
/// proxy may set. X-Forwarded-For, -Host, -Proto, Forwarded (RFC 7239) and Via are appended to well-formed received
/// values.
///
/// A path with dot segments gets 400 and is not forwarded. If the upstream is unreachable, does not speak HTTP or
/// disconnects before the first byte of a body, the response is 502; if it times out, 504; if no connection is free,
/// 503; if the request loops through this proxy, 508. When the client disconnects, the upstream connection is closed,
/// and if the upstream disconnects later, so is the client's.
class proxy {
public:
    /// `upstream` is a URL such as "http://10.0.0.1:9000/base" or "http+unix://%2Frun%2Fapp.sock"; its path is
    /// prepended to that of each request. Throws std::invalid_argument if it is not a valid URL.
    explicit proxy(std::string upstream, proxy_options options = {});
    /// Takes the URL from a setting; an invalid one is detected by the first request.
    explicit proxy(setting<std::string> upstream, proxy_options options = {});

    [[nodiscard]] task<response> operator()(request& req, std::string_view rest) const;

private:
    struct state;
    std::shared_ptr<state> state_;
};

}  // namespace rondo
