// SPDX-License-Identifier: Apache-2.0
// The client of a request: the peer of the connection, or the client of a trusted proxy.
#include <new>

#include <rondo/http/forwarded.hpp>
#include <rondo/server/connection.hpp>
#include <rondo/server/exchange.hpp>
#include <rondo/server/server.hpp>

namespace rondo::server {

void exchange::read_forwarded() {
    try {
        if (!connection_.peer_is_trusted()) return;
        const options& o = connection_.server_.options_;
        const http::forwarded info = http::read_forwarded(request_.fields, o.forwarded_allow, o.forwarded_fields);
        if (!info.host.empty()) request_.authority = info.host;
        if (!info.client && info.scheme.empty()) return;
        const std::string_view address = info.client ? arena_.copy(info.client->text()) : std::string_view();
        forwarded_ = ::new (arena_.allocate(sizeof(forwarded_client), alignof(forwarded_client)))
            forwarded_client{address, info.scheme, info.port};
    } catch (...) {
        // Out of memory: the request must not be served with the wrong client.
        destroy();
        throw;
    }
}

std::string_view exchange::peer_address() noexcept {
    return forwarded_ && !forwarded_->address.empty() ? forwarded_->address : direct_peer_address();
}

std::string_view exchange::direct_peer_address() noexcept {
    try {
        return connection_.peer().address;
    } catch (...) {
        return {};
    }
}

std::uint16_t exchange::peer_port() noexcept {
    if (forwarded_ && !forwarded_->address.empty()) return forwarded_->port;
    try {
        return connection_.peer().port;
    } catch (...) {
        return 0;
    }
}

std::string_view exchange::local_address() noexcept {
    try {
        return connection_.local().address;
    } catch (...) {
        return {};
    }
}

std::uint16_t exchange::local_port() noexcept {
    try {
        return connection_.local().port;
    } catch (...) {
        return 0;
    }
}

bool exchange::is_unix() noexcept {
    try {
        return connection_.local().is_unix;
    } catch (...) {
        return false;
    }
}

bool exchange::is_secure() const noexcept {
    return forwarded_ && !forwarded_->scheme.empty() ? forwarded_->scheme == "https" : secure_;
}

}  // namespace rondo::server
