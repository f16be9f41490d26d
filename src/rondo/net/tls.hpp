// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <rondo/net/stream_filter.hpp>

namespace rondo::net {

/// A certificate, key or authority that cannot be used. `what()` names the file and what is wrong with it.
class tls_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

struct tls_client_options {
    bool verify = true;                              ///< false: anybody may pretend to be the server
    std::string ca_file;                             ///< authorities to trust (PEM) instead of the system's
    std::vector<std::string> protocols{"http/1.1"};  ///< ALPN, the preferred first
};

struct tls_server_options {
    std::string certificate_file;  ///< PEM, the server's own first, then its chain
    std::string key_file;          ///< PEM
    std::vector<std::string> protocols{"http/1.1"};
};

/// The settings of one side of TLS, for many connections: TLS 1.2 or newer, no renegotiation, no compression. To make
/// one reads files and takes milliseconds: not on a loop that is at work. Cheap to copy; any thread. That of the side
/// that connects keeps what servers give it to take their sessions up again.
class tls_context {
public:
    /// Throws tls_error.
    [[nodiscard]] static tls_context client(const tls_client_options& options);
    [[nodiscard]] static tls_context server(const tls_server_options& options);

    /// For stream::filter_with(): the side that connected. The certificate must be for `host`, a name or a numeric
    /// address. `server` tells servers of one name apart ("localhost:8443"), whose sessions are not to be taken for
    /// each other's. Throws std::bad_alloc.
    [[nodiscard]] std::unique_ptr<stream_filter> connect(const std::string& host, const std::string& server = {}) const;
    /// The side that accepted.
    [[nodiscard]] std::unique_ptr<stream_filter> accept() const;

private:
    struct settings;
    class filter;
    explicit tls_context(std::shared_ptr<settings> of) noexcept : settings_(std::move(of)) {}
    std::shared_ptr<settings> settings_;
};

}  // namespace rondo::net
