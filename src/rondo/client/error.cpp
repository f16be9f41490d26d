// SPDX-License-Identifier: Apache-2.0
#include <rondo/client/error.hpp>

#include <utility>

namespace rondo {

std::string_view to_string(client_failure kind) noexcept {
    switch (kind) {
        case client_failure::url: return "url";
        case client_failure::resolve: return "resolve";
        case client_failure::connect: return "connect";
        case client_failure::tls: return "tls";
        case client_failure::timeout: return "time-out";
        case client_failure::closed: return "closed";
        case client_failure::protocol: return "protocol";
        case client_failure::body_too_large: return "body too large";
        case client_failure::too_many_redirects: return "redirects";
        case client_failure::busy: return "busy";
        case client_failure::request_too_large: return "request too large";
    }
    std::unreachable();
}

}  // namespace rondo
