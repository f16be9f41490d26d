// SPDX-License-Identifier: Apache-2.0
#include <rondo/net/tls.hpp>

#include <array>
#include <new>
#include <system_error>
#include <utility>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <rondo/net/tls_session_cache.hpp>

namespace rondo::net {

namespace {

constexpr std::size_t record_size = 16 * 1024;

std::string last_error() {
    const unsigned long first = ERR_peek_error();
    if (ERR_SYSTEM_ERROR(first)) {
        ERR_clear_error();
        return std::generic_category().message(ERR_GET_REASON(first));
    }
    const unsigned long code = ERR_peek_last_error();
    const char* reason = code ? ERR_reason_error_string(code) : nullptr;
    std::string text = reason ? reason : "unknown error";
    ERR_clear_error();
    return text;
}

// The input and output of one call. OpenSSL reads from a view and appends to a string; the wire is not buffered.
struct wire_buffers {
    std::string_view in;
    std::string* out = nullptr;
};

wire_buffers& buffers_of(BIO* bio) { return *static_cast<wire_buffers*>(BIO_get_data(bio)); }

int read_wire(BIO* bio, char* buffer, std::size_t capacity, std::size_t* size) {
    BIO_clear_retry_flags(bio);
    wire_buffers& wire = buffers_of(bio);
    *size = wire.in.copy(buffer, capacity);
    wire.in.remove_prefix(*size);
    if (*size > 0) return 1;
    BIO_set_retry_read(bio);
    return 0;
}

int write_wire(BIO* bio, const char* data, std::size_t size, std::size_t* written) {
    buffers_of(bio).out->append(data, size);
    *written = size;
    return 1;
}

long control_wire(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

const BIO_METHOD* wire_method() {
    static BIO_METHOD* const method = [] {
        BIO_METHOD* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "wire");
        if (!m) throw std::bad_alloc();
        BIO_meth_set_read_ex(m, read_wire);
        BIO_meth_set_write_ex(m, write_wire);
        BIO_meth_set_ctrl(m, control_wire);
        return m;
    }();
    return method;
}

}  // namespace

// The state shared by all connections of one side.
struct tls_context::shared_state {
    explicit shared_state(const SSL_METHOD* method) : ctx(SSL_CTX_new(method)) {
        if (!ctx) throw std::bad_alloc();
        SSL_CTX_set_min_proto_version(ctx.get(), TLS1_2_VERSION);
        SSL_CTX_set_options(ctx.get(),
                            SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
        // Idle connections hold no buffers.
        SSL_CTX_set_mode(ctx.get(), SSL_MODE_RELEASE_BUFFERS);
    }

    struct ctx_deleter {
        void operator()(SSL_CTX* c) const noexcept { SSL_CTX_free(c); }
    };
    std::unique_ptr<SSL_CTX, ctx_deleter> ctx;
    std::string protocols;  // in the ALPN wire format
    tls_session_cache sessions;
};

class tls_context::filter final : public stream_filter {
public:
    filter(std::shared_ptr<shared_state> shared, bool accepts)
        : shared_(std::move(shared)), ssl_(SSL_new(shared_->ctx.get())) {
        BIO* bio = ssl_ ? BIO_new(wire_method()) : nullptr;
        if (!bio) throw std::bad_alloc();
        BIO_set_data(bio, &wire_);
        BIO_set_init(bio, 1);
        SSL_set_bio(ssl_.get(), bio, bio);
        SSL_set_app_data(ssl_.get(), this);
        if (accepts) SSL_set_accept_state(ssl_.get());
        else SSL_set_connect_state(ssl_.get());
    }
    ~filter() override {
        // Keeps the session resumable when the connection was closed without close_notify.
        if (state_ != state::failed) SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    }
    filter(const filter&) = delete;
    filter& operator=(const filter&) = delete;

    void resume(std::string server) {
        server_ = std::move(server);
        if (const tls_session_cache::session session = shared_->sessions.acquire(server_))
            SSL_set_session(ssl_.get(), session.get());
    }
    // OpenSSL callback. Returning 1 takes ownership of the session.
    static int on_new_session(SSL* ssl, SSL_SESSION* owned) noexcept {
        const auto& self = *static_cast<const filter*>(SSL_get_app_data(ssl));
        tls_session_cache::session session(owned);
        try {
            self.shared_->sessions.add(self.server_, std::move(session));
        } catch (const std::bad_alloc&) {
            // Without a cached session the next connection needs a full handshake.
        }
        return 1;
    }

    void verify_host(const std::string& host) {
        X509_VERIFY_PARAM* parameters = SSL_get0_param(ssl_.get());
        std::array<unsigned char, 16> numeric;
        const bool is_numeric = inet_pton(AF_INET, host.c_str(), numeric.data()) == 1 ||
                                inet_pton(AF_INET6, host.c_str(), numeric.data()) == 1;
        if (is_numeric) {
            X509_VERIFY_PARAM_set1_ip_asc(parameters, host.c_str());
            return;
        }
        X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        X509_VERIFY_PARAM_set1_host(parameters, host.c_str(), host.size());
        SSL_set_tlsext_host_name(ssl_.get(), host.c_str());
    }

    state receive(std::string_view bytes, std::string& plain, std::string& wire) override {
        if (state_ == state::failed || state_ == state::closed) return state_;
        wire_ = {bytes, &wire};
        ERR_clear_error();
        if (state_ == state::handshaking) handshake();
        if (state_ == state::open) decrypt(plain);
        wire_ = {};
        return state_;
    }

    bool send(std::string_view plain, std::string& wire) override {
        if (state_ == state::handshaking || state_ == state::failed) return false;
        wire_ = {{}, &wire};
        ERR_clear_error();
        std::size_t written = 0;
        while (!plain.empty()) {
            if (SSL_write_ex(ssl_.get(), plain.data(), plain.size(), &written) != 1) {
                fail(last_error());
                break;
            }
            plain.remove_prefix(written);
        }
        wire_ = {};
        return plain.empty();
    }

    void shutdown(std::string& wire) override {
        if (state_ == state::handshaking || state_ == state::failed) return;
        wire_ = {{}, &wire};
        SSL_shutdown(ssl_.get());
        ERR_clear_error();
        wire_ = {};
    }

    state current_state() const noexcept override { return state_; }
    const std::string& error_message() const noexcept override { return error_message_; }

private:
    struct ssl_deleter {
        void operator()(SSL* ssl) const noexcept { SSL_free(ssl); }
    };

    void fail(std::string reason) {
        state_ = state::failed;
        error_message_ = std::move(reason);
    }

    void handshake() {
        const int done = SSL_do_handshake(ssl_.get());
        if (done == 1) {
            state_ = state::open;
            return;
        }
        const int error = SSL_get_error(ssl_.get(), done);
        if (error == SSL_ERROR_WANT_READ) return;
        const long verified = SSL_get_verify_result(ssl_.get());
        std::string reason = last_error();
        if (verified != X509_V_OK)
            reason = fmt::format("certificate verification failed: {}", X509_verify_cert_error_string(verified));
        fail(std::move(reason));
    }

    void decrypt(std::string& plain) {
        for (;;) {
            const std::size_t before = plain.size();
            plain.resize(before + record_size);
            std::size_t size = 0;
            const int done = SSL_read_ex(ssl_.get(), plain.data() + before, record_size, &size);
            plain.resize(before + size);
            if (done == 1) continue;
            const int error = SSL_get_error(ssl_.get(), done);
            if (error == SSL_ERROR_WANT_READ) return;
            if (error == SSL_ERROR_ZERO_RETURN) state_ = state::closed;
            else fail(last_error());
            return;
        }
    }

    std::shared_ptr<shared_state> shared_;
    std::unique_ptr<SSL, ssl_deleter> ssl_;
    std::string server_;
    wire_buffers wire_;
    state state_ = state::handshaking;
    std::string error_message_;
};

namespace {

// The ALPN wire format: each protocol is preceded by its length.
std::string alpn_protocol_list(const std::vector<std::string>& protocols) {
    std::string list;
    for (const std::string& p : protocols) {
        if (p.empty() || p.size() > 255)
            throw tls_error(fmt::format("invalid ALPN protocol '{}'; expected 1 to 255 bytes", p));
        (list += static_cast<char>(p.size())) += p;
    }
    return list;
}

int select_protocol(SSL*, const unsigned char** out, unsigned char* size, const unsigned char* offered,
                    unsigned offered_size, void* protocols) {
    const auto& list = *static_cast<const std::string*>(protocols);
    unsigned char* selected = nullptr;
    if (SSL_select_next_proto(&selected, size, reinterpret_cast<const unsigned char*>(list.data()),
                              static_cast<unsigned>(list.size()), offered, offered_size) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = selected;
    return SSL_TLSEXT_ERR_OK;
}

}  // namespace

tls_context tls_context::client(const tls_client_options& options) {
    auto result = std::make_shared<shared_state>(TLS_client_method());
    SSL_CTX* const ctx = result->ctx.get();
    SSL_CTX_set_verify(ctx, options.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
    if (!options.ca_file.empty()) {
        if (SSL_CTX_load_verify_locations(ctx, options.ca_file.c_str(), nullptr) != 1)
            throw tls_error(fmt::format("CA file '{}' cannot be loaded: {}", options.ca_file, last_error()));
    } else if (options.verify && SSL_CTX_set_default_verify_paths(ctx) != 1) {
        throw tls_error("the system's CA certificates cannot be loaded: " + last_error());
    }
    const std::string list = alpn_protocol_list(options.protocols);
    if (!list.empty())
        SSL_CTX_set_alpn_protos(ctx, reinterpret_cast<const unsigned char*>(list.data()),
                                static_cast<unsigned>(list.size()));
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, &filter::on_new_session);
    return tls_context(std::move(result));
}

tls_context tls_context::server(const tls_server_options& options) {
    auto result = std::make_shared<shared_state>(TLS_server_method());
    SSL_CTX* const ctx = result->ctx.get();
    if (SSL_CTX_use_certificate_chain_file(ctx, options.certificate_file.c_str()) != 1)
        throw tls_error(fmt::format("certificate '{}' cannot be loaded: {}", options.certificate_file, last_error()));
    if (SSL_CTX_use_PrivateKey_file(ctx, options.key_file.c_str(), SSL_FILETYPE_PEM) != 1)
        throw tls_error(
            fmt::format("key '{}' cannot be loaded for the certificate: {}", options.key_file, last_error()));
    result->protocols = alpn_protocol_list(options.protocols);
    SSL_CTX_set_alpn_select_cb(ctx, select_protocol, &result->protocols);
    return tls_context(std::move(result));
}

std::unique_ptr<stream_filter> tls_context::connect(const std::string& host, const std::string& server) const {
    auto client = std::make_unique<filter>(shared_, false);
    client->verify_host(host);
    client->resume(server.empty() ? host : server);
    return client;
}

std::unique_ptr<stream_filter> tls_context::accept() const { return std::make_unique<filter>(shared_, true); }

}  // namespace rondo::net
