// SPDX-License-Identifier: Apache-2.0
// The URL of channels or a cache.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace rondo {

/// The backend of channels or a cache. One of
///     memory:                      in this server: all its worker processes (a cache: this process)
///     memory:NAME                  likewise; each name is a separate set
///     redis://HOST                 a Redis server: redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE][?prefix=TEXT]
///     rediss://HOST                over TLS: rediss://...[?ca=FILE&prefix=TEXT]; FILE (PEM) contains the CA
///                                  certificates to trust instead of the system's
///     redis+unix:///PATH           over a unix socket: redis+unix://[...@]/PATH[?db=DATABASE&prefix=TEXT]
/// USER, PASSWORD, FILE and TEXT may be percent-encoded. `prefix` is prepended to every name and key in Redis.
struct channels_url {
    enum class kind : std::uint8_t { memory, redis };
    kind backend = kind::memory;
    std::string name;           ///< memory only
    std::string host;           ///< redis only; empty for a unix socket
    std::uint16_t port = 6379;  ///< redis only
    std::string path;           ///< redis only: the unix socket
    std::string user;
    std::string password;
    unsigned database = 0;
    std::string prefix;
    bool secure = false;  ///< redis only: use TLS
    std::string ca_file;  ///< only with `secure`

    /// Throws std::invalid_argument; its message lists the allowed forms and never contains a password.
    [[nodiscard]] static channels_url parse(std::string_view text);
    /// For messages, without password: "redis://127.0.0.1:6379/0".
    [[nodiscard]] std::string text() const;
};

}  // namespace rondo
