// SPDX-License-Identifier: Apache-2.0
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

/// The client's settings as a proxy needs them: nothing is followed, decoded or added on the way, and the size of a
/// response does not matter, because none is kept.
[[nodiscard]] client_options proxy_client_options();

struct proxy_options {
    client_options client = proxy_client_options();
    bool keep_host = false;      ///< pass the Host of the request on instead of the upstream's
    std::string strip_prefix;    ///< taken off the path where a segment ends: "/api" of "/api/x", not of "/apifoo"
    std::string name = "rondo";  ///< in Via
};

/// A view that forwards to an upstream: `app.any("/<path:rest>", proxy("http://127.0.0.1:9000"))`. Both bodies are
/// streamed, at the same time where the upstream answers early, and no faster than the receiving side takes them; the
/// route's body_limit bounds a request's. Fields that concern one connection only are left out (RFC 9110
/// section 7.6.1), and of a request those that only a proxy may write; X-Forwarded-For, -Host, -Proto, Forwarded
/// (RFC 7239) and Via are added to what came and is well-formed. A path with dot segments is 400 and reaches no
/// upstream. An upstream that cannot be reached, does not speak HTTP or breaks off before the first byte of a body is
/// 502, one that takes too long 504, no free connection 503, a request that comes round again and again 508. When the
/// client goes away, the upstream's connection is closed; when the upstream breaks off later, so is the client's.
class proxy {
public:
    /// `upstream` is a URL, "http://10.0.0.1:9000/base" or "http+unix://%2Frun%2Fapp.sock"; its path goes before that
    /// of each request. Throws std::invalid_argument when it is none.
    explicit proxy(std::string upstream, proxy_options options = {});
    /// The URL is looked at with the first request.
    explicit proxy(setting<std::string> upstream, proxy_options options = {});

    [[nodiscard]] task<response> operator()(request& req, std::string_view rest) const;

private:
    struct state;
    std::shared_ptr<state> state_;
};

}  // namespace rondo
