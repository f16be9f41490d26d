// SPDX-License-Identifier: Apache-2.0
// PostgreSQL over TLS: the same operations as over a plain connection.
#include <array>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <rondo/base/unique_fd.hpp>
#include <rondo/coro/when_all.hpp>
#include <rondo/db/database.hpp>
#include <rondo/db/postgres/server_fixture.hpp>
#include <rondo/loop/timeout.hpp>
#include <rondo/net/tls_fixture.hpp>

namespace rondo::db::postgres {
namespace {

using namespace std::chrono_literals;

class PostgresTls : public ::testing::Test {
public:
    static void SetUpTestSuite() {
        files_ = new rondo::testing::certificates;
        files_->make("server", "DNS:localhost,IP:127.0.0.1");
        files_->self_signed("another");
        server_ = new test_server(std::vector<std::string>{files_->file("server.pem"), files_->file("server.key")});
    }
    static void TearDownTestSuite() {
        delete server_;
        delete files_;
    }

protected:
    /// The URL with this host and these options.
    static std::string url(const std::string& host, const std::string& options) {
        std::string edited = server_->url();
        return edited.replace(edited.find("127.0.0.1"), 9, host) + "?" + options;
    }
    static std::string verifying_options() { return "sslmode=verify-full&sslrootcert=" + files_->ca_file(); }
    template <class Body>
    static void with_database(const std::string& options, Body body) {
        event_loop loop;
        database db(url("localhost", options), {.max_connections = 3});
        loop.run_until(run(db, std::move(body)));
    }
    /// The message of the error that open() throws.
    static std::string open_error(const std::string& host, const std::string& options) {
        try {
            database db(url(host, options), {.acquire_timeout = 20s});
            db.open_sync();
        } catch (const std::exception& e) {
            return e.what();
        }
        return "it opened";
    }

    static inline rondo::testing::certificates* files_ = nullptr;
    static inline test_server* server_ = nullptr;

private:
    template <class Body>
    static task<void> run(database& db, Body body) {
        co_await db.open();
        co_await body(db);
        co_await db.close();
    }
};

task<void> query_text_of_size(database& db, int size) {
    const result r = co_await db.query("select repeat('x', $1), $1", size);
    const auto [text, again] = r.one<std::tuple<std::string, int>>();
    EXPECT_EQ(text.size(), static_cast<std::size_t>(size));
    EXPECT_EQ(again, size);
}

TEST_F(PostgresTls, uses_tls_1_3) {
    for (const std::string& options : {std::string("sslmode=require"), verifying_options()}) {
        with_database(options, [](database& db) -> task<void> {
            const result r = co_await db.query("select ssl, version from pg_stat_ssl where pid = pg_backend_pid()");
            const auto [ssl, version] = r.one<std::tuple<bool, std::string>>();
            EXPECT_TRUE(ssl);
            EXPECT_EQ(version, "TLSv1.3");
        });
    }
}

// Results end anywhere within a TLS record, and libpq may read part of one.
TEST_F(PostgresTls, receives_results_of_every_size) {
    with_database(verifying_options(), [](database& db) -> task<void> {
        for (int size = 1; size < 600'000; size += size / 9 + 1)
            co_await with_timeout(30s, query_text_of_size(db, size));
        std::vector<task<void>> all;
        for (int i = 0; i < 200; ++i) all.push_back(query_text_of_size(db, i * 397));
        co_await with_timeout(60s, when_all(std::move(all)));
    });
}

async_generator<std::string> copy_rows(int count) {
    for (int i = 0; i < count; ++i) co_yield std::to_string(i) + "\tline\n";
}

TEST_F(PostgresTls, streams_rows_and_copies) {
    with_database(verifying_options(), [](database& db) -> task<void> {
        co_await db.execute_script("create table copied (n int, text text)");
        EXPECT_EQ(co_await db.copy_in("copy copied from stdin", copy_rows(20'000)), 20'000U);
        long long sum = 0;
        auto rows = db.stream<int>("select n from copied");
        while (const int* n = co_await rows.next()) sum += *n;
        EXPECT_EQ(sum, 20'000LL * 19'999 / 2);
        std::size_t pieces = 0;
        auto out = db.copy_out("copy copied to stdout");
        while (co_await out.next()) ++pieces;
        EXPECT_EQ(pieces, 20'000U);
    });
}

TEST_F(PostgresTls, cancels_a_statement) {
    with_database(verifying_options(), [](database& db) -> task<void> {
        bool late = false;
        try {
            co_await with_timeout(50ms, sleep_in_database(db));
        } catch (const timed_out&) {
            late = true;
        }
        EXPECT_TRUE(late);
        for (int running = 1; running > 0; co_await sleep(5ms)) {
            const result r = co_await db.query(
                "select count(*) from pg_stat_activity where state = 'active' and query like 'select pg_sleep(60)%'");
            running = r.scalar<int>();
        }
    });
}

TEST_F(PostgresTls, explains_certificate_mismatches) {
    const std::string wrong = "sslmode=verify-full&sslrootcert=" + files_->file("another.pem");
    for (const char* host : {"localhost", "127.0.0.1"}) EXPECT_EQ(open_error(host, verifying_options()), "it opened");
    std::string message = open_error("localhost", wrong);
    EXPECT_NE(message.find("certificate verify failed: set sslrootcert in the database URL"), std::string::npos)
        << message;
    message = open_error("localhost", "sslmode=verify-full&sslrootcert=/nowhere/ca.pem");
    EXPECT_NE(message.find("/nowhere/ca.pem"), std::string::npos) << message;
    message = open_error("example.org", "hostaddr=127.0.0.1&" + verifying_options());
    EXPECT_NE(message.find("does not match host name \"example.org\": use the host name in the server's certificate"),
              std::string::npos)
        << message;
}

TEST_F(PostgresTls, explains_a_server_without_tls) {
    try {
        database db(test_server::shared().url() + "?sslmode=require", {.acquire_timeout = 20s});
        db.open_sync();
        ADD_FAILURE() << "it opened";
    } catch (const connection_lost& e) {
        EXPECT_NE(std::string(e.what()).find("does not support SSL, but SSL was required: enable TLS (ssl = on)"),
                  std::string::npos)
            << e.what();
    }
}

// A man in the middle that appends plaintext to the server's "S" reply, then relays everything.
class plaintext_injector {
public:
    explicit plaintext_injector(const std::string& server_url)
        : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        server_ = loopback_address(static_cast<std::uint16_t>(std::stoi(server_url.substr(server_url.rfind(':') + 1))));
        sockaddr_in address = loopback_address(0);
        socklen_t size = sizeof address;
        EXPECT_EQ(::bind(listener_.value(), reinterpret_cast<const sockaddr*>(&address), size), 0);
        EXPECT_EQ(::listen(listener_.value(), 8), 0);
        EXPECT_EQ(::getsockname(listener_.value(), reinterpret_cast<sockaddr*>(&address), &size), 0);
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this] { serve(); });
    }
    ~plaintext_injector() {
        ::shutdown(listener_.value(), SHUT_RDWR);
        thread_.join();
    }
    plaintext_injector(const plaintext_injector&) = delete;
    plaintext_injector& operator=(const plaintext_injector&) = delete;
    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

private:
    static sockaddr_in loopback_address(std::uint16_t port) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return address;
    }
    void serve() {
        for (;;) {
            const unique_fd client(::accept(listener_.value(), nullptr, nullptr));
            if (!client) return;
            const unique_fd server(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
            if (::connect(server.value(), reinterpret_cast<const sockaddr*>(&server_), sizeof server_)) continue;
            std::array<char, 8> request{};
            std::string answer(1, '\0');
            if (::recv(client.value(), request.data(), request.size(), MSG_WAITALL) != 8 ||
                ::send(server.value(), request.data(), request.size(), MSG_NOSIGNAL) != 8 ||
                ::recv(server.value(), answer.data(), 1, 0) != 1)
                continue;
            answer += std::string("R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I", 15);
            (void)::send(client.value(), answer.data(), answer.size(), MSG_NOSIGNAL);
            relay(client.value(), server.value());
        }
    }
    static void relay(int a, int b) {
        std::array<pollfd, 2> ends{
            {{.fd = a, .events = POLLIN, .revents = 0}, {.fd = b, .events = POLLIN, .revents = 0}}};
        std::array<char, 4096> bytes{};
        while (::poll(ends.data(), ends.size(), 20'000) > 0) {
            for (std::size_t i = 0; i < ends.size(); ++i) {
                if (!ends[i].revents) continue;
                const ssize_t n = ::recv(ends[i].fd, bytes.data(), bytes.size(), 0);
                if (n <= 0 || ::send(ends[1 - i].fd, bytes.data(), static_cast<std::size_t>(n), MSG_NOSIGNAL) != n)
                    return;
            }
        }
    }

    unique_fd listener_;
    sockaddr_in server_{};
    std::uint16_t port_ = 0;
    std::thread thread_;
};

// Plaintext injected before the handshake is not accepted as the server's (CVE-2021-23222).
TEST_F(PostgresTls, rejects_plaintext_before_the_handshake) {
    const std::string direct = server_->url();
    const plaintext_injector proxy(direct.substr(0, direct.rfind('/')));
    std::string proxied = url("localhost", verifying_options());
    const std::size_t colon = proxied.find(':', proxied.find("localhost"));
    proxied.replace(colon + 1, proxied.find('/', colon) - colon - 1, std::to_string(proxy.port()));
    std::string message = "it opened";
    try {
        database db(proxied, {.acquire_timeout = 20s});
        db.open_sync();
    } catch (const std::exception& e) {
        message = e.what();
    }
    EXPECT_NE(message.find("unencrypted data after SSL response"), std::string::npos) << message;
}

}  // namespace
}  // namespace rondo::db::postgres
