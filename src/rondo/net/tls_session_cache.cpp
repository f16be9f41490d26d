// SPDX-License-Identifier: Apache-2.0
#include <rondo/net/tls_session_cache.hpp>

#include <algorithm>
#include <utility>

#include <openssl/ssl.h>

namespace rondo::net {

namespace {

bool is_single_use(const SSL_SESSION* s) { return SSL_SESSION_get_protocol_version(s) >= TLS1_3_VERSION; }

}  // namespace

void tls_session_cache::session_deleter::operator()(ssl_session_st* session) const noexcept {
    SSL_SESSION_free(session);
}

tls_session_cache::entry* tls_session_cache::find(const std::string& server) {
    const auto at = std::ranges::find(entries_, server, &entry::server);
    if (at == entries_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, at);
    return &entries_.front();
}

void tls_session_cache::add(const std::string& server, session added) {
    const std::scoped_lock lock(mutex_);
    entry* found = find(server);
    if (!found) {
        found = &entries_.emplace_front(server);
        if (entries_.size() > max_servers) entries_.pop_back();
    }
    if (!is_single_use(added.get())) found->tickets.clear();
    else if (found->tickets.size() == max_tickets) found->tickets.erase(found->tickets.begin());
    found->tickets.push_back(std::move(added));
}

tls_session_cache::session tls_session_cache::acquire(const std::string& server) {
    const std::scoped_lock lock(mutex_);
    entry* found = find(server);
    if (!found || found->tickets.empty()) return nullptr;
    if (!is_single_use(found->tickets.back().get())) {
        SSL_SESSION_up_ref(found->tickets.back().get());
        return session(found->tickets.back().get());
    }
    session single_use = std::move(found->tickets.back());
    found->tickets.pop_back();
    return single_use;
}

}  // namespace rondo::net
