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
        told_ = ::new (arena_.allocate(sizeof(told_client), alignof(told_client)))
            told_client{address, info.scheme, info.port};
    } catch (...) {
        // Out of memory: the request must not be served with the wrong client.
        destroy();
        throw;
    }
}

std::string_view exchange::peer_address() noexcept {
    return told_ && !told_->address.empty() ? told_->address : sender_address();
}

std::string_view exchange::sender_address() noexcept {
    try {
        return connection_.peer().address;
    } catch (...) {
        return {};
    }
}

std::uint16_t exchange::peer_port() noexcept {
    if (told_ && !told_->address.empty()) return told_->port;
    try {
        return connection_.peer().port;
    } catch (...) {
        return 0;
    }
}

bool exchange::secure() const noexcept { return told_ && !told_->scheme.empty() ? told_->scheme == "https" : secure_; }

}  // namespace rondo::server
