// SPDX-License-Identifier: Apache-2.0
// TLS client and server contexts, which make the stream filters of connections.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <rondo/net/stream_filter.hpp>

namespace rondo::net {

/// An unusable certificate, key or CA file. `what()` names the file and the reason.
class tls_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

struct tls_client_options {
    bool verify = true;                              ///< false: the server is not authenticated
    std::string ca_file;                             ///< CA certificates (PEM) to trust instead of the system's
    std::vector<std::string> protocols{"http/1.1"};  ///< ALPN, in order of preference
};

struct tls_server_options {
    std::string certificate_file;  ///< PEM: the server's certificate, then its chain
    std::string key_file;          ///< PEM
    std::vector<std::string> protocols{"http/1.1"};
};

/// The TLS configuration of one side, shared by many connections: TLS 1.2 or newer, no renegotiation, no compression.
/// Creating one reads files and takes milliseconds, so do not do it on a busy loop. Cheap to copy; thread-safe. The
/// connecting side caches the sessions of servers to resume them.
class tls_context {
public:
    /// Throws tls_error.
    [[nodiscard]] static tls_context client(const tls_client_options& options);
    [[nodiscard]] static tls_context server(const tls_server_options& options);

    /// A filter for stream::set_filter() on the connecting side. The certificate must be valid for `host`, a name or a
    /// numeric address. `server` is the key of cached sessions, `host` by default; it separates servers that share a
    /// name ("localhost:8443"). Throws std::bad_alloc.
    [[nodiscard]] std::unique_ptr<stream_filter> connect(const std::string& host, const std::string& server = {}) const;
    /// A filter for the accepting side.
    [[nodiscard]] std::unique_ptr<stream_filter> accept() const;

private:
    struct shared_state;
    class filter;
    explicit tls_context(std::shared_ptr<shared_state> shared) noexcept : shared_(std::move(shared)) {}
    std::shared_ptr<shared_state> shared_;
};

}  // namespace rondo::net
