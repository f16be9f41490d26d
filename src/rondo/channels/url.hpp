// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace rondo {

/// Where channels or a cache live. One of
///     memory:                      in this server: all its worker processes (a cache: in this process)
///     memory:NAME                  the same; another name is another set
///     redis://HOST                 a Redis server: redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE][?prefix=TEXT]
///     rediss://HOST                the same over TLS: rediss://...[?ca=FILE&prefix=TEXT]; FILE (PEM) holds the
///     authorities to
///                                  trust instead of the system's
///     redis+unix:///PATH           the same over a unix socket: redis+unix://[...@]/PATH[?db=DATABASE&prefix=TEXT]
/// USER, PASSWORD, FILE and TEXT may be percent-encoded. `prefix` goes before every name and key in Redis.
struct channels_url {
    enum class kind : std::uint8_t { memory, redis };
    kind where = kind::memory;
    std::string name;           ///< memory
    std::string host;           ///< redis; empty with a unix socket
    std::uint16_t port = 6379;  ///< redis
    std::string path;           ///< redis: of a unix socket
    std::string user;
    std::string password;
    unsigned database = 0;
    std::string prefix;
    bool secure = false;  ///< redis: over TLS
    std::string ca_file;  ///< with `secure`

    /// Throws std::invalid_argument with a sentence that shows the forms allowed; it never repeats a password.
    [[nodiscard]] static channels_url parse(std::string_view text);
    /// Without password, for messages: "redis://127.0.0.1:6379/0".
    [[nodiscard]] std::string text() const;
};

}  // namespace rondo
