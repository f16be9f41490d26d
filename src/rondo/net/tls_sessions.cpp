// SPDX-License-Identifier: Apache-2.0
#include <rondo/net/tls_sessions.hpp>

#include <algorithm>
#include <utility>

#include <openssl/ssl.h>

namespace rondo::net {

namespace {

bool is_for_once(const SSL_SESSION* s) { return SSL_SESSION_get_protocol_version(s) >= TLS1_3_VERSION; }

}  // namespace

void tls_sessions::release::operator()(ssl_session_st* session) const noexcept { SSL_SESSION_free(session); }

tls_sessions::entry* tls_sessions::find(const std::string& server) {
    const auto at = std::ranges::find(entries_, server, &entry::server);
    if (at == entries_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, at);
    return &entries_.front();
}

void tls_sessions::keep(const std::string& server, session given) {
    const std::scoped_lock held(mutex_);
    entry* of = find(server);
    if (!of) {
        of = &entries_.emplace_front(server);
        if (entries_.size() > most_servers) entries_.pop_back();
    }
    if (!is_for_once(given.get())) of->tickets.clear();
    else if (of->tickets.size() == most_tickets) of->tickets.erase(of->tickets.begin());
    of->tickets.push_back(std::move(given));
}

tls_sessions::session tls_sessions::take(const std::string& server) {
    const std::scoped_lock held(mutex_);
    entry* of = find(server);
    if (!of || of->tickets.empty()) return nullptr;
    if (!is_for_once(of->tickets.back().get())) {
        SSL_SESSION_up_ref(of->tickets.back().get());
        return session(of->tickets.back().get());
    }
    session taken = std::move(of->tickets.back());
    of->tickets.pop_back();
    return taken;
}

}  // namespace rondo::net
