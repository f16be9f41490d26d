// SPDX-License-Identifier: Apache-2.0
// Test fixtures: a server on a thread of its own, and a blocking client.
#pragma once

#include <atomic>
#include <cerrno>
#include <chrono>
#include <future>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <rondo/base/unique_fd.hpp>
#include <rondo/coro/event.hpp>
#include <rondo/handler/application.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/loop/thread_pool.hpp>
#include <rondo/net/listen.hpp>
#include <rondo/server/server.hpp>

namespace rondo::server::testing {

/// Serves an application on a free port of 127.0.0.1 until it is destroyed.
class test_server {
public:
    /// `on_thread` is called first on the server's thread.
    explicit test_server(handler::application& app, backend_kind backend, const options& limits = {},
                         void (*on_thread)() = nullptr)
        : app_(app), limits_(limits), init_thread_(on_thread), thread_([this, backend] { run(backend); }) {
        port_ = started_.get_future().get();
    }
    ~test_server() {
        if (thread_.joinable()) stop(std::chrono::milliseconds(0));
    }
    test_server(const test_server&) = delete;
    test_server& operator=(const test_server&) = delete;

    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
    [[nodiscard]] server& unsafe_server() noexcept { return *server_; }

    /// Calls `f(server)` on the server's thread and returns its result.
    template <class F>
    auto call_on_loop(F f) {
        std::promise<decltype(f(*server_))> result;
        loop_->post([&] { result.set_value(f(*server_)); });
        return result.get_future().get();
    }
    /// Waits up to ten seconds until `f(server)` is true.
    template <class F>
    [[nodiscard]] bool wait_until(F f) {
        for (int i = 0; i < 5000; ++i) {
            if (call_on_loop(f)) return true;
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
        }
        return false;
    }

    /// Starts draining and returns at once. call_on_loop() must not be used afterwards.
    void drain(std::chrono::milliseconds grace) {
        if (drain_requested_.exchange(true)) return;
        loop_->post([this, grace] {
            grace_ = grace;
            stop_requested_.set();
        });
    }
    /// Drains, unless already started, and waits until the server has stopped.
    void stop(std::chrono::milliseconds grace) {
        drain(grace);
        no_more_posts_.set_value();
        thread_.join();
    }

private:
    void run(backend_kind backend) {
        if (init_thread_) init_thread_();
        event_loop loop({backend});
        thread_pool blocking({.name = "blocking", .threads = 2});
        loop.use_pools(&blocking, &blocking);
        loop_ = &loop;
        server s(loop, app_, limits_);
        server_ = &s;
        loop.run_until(serve());
        no_more_posts_.get_future().wait();  // post() still wakes the loop after running its function
    }
    task<void> serve() {
        co_await app_.startup();
        auto sockets = net::listen(net::bind_address::parse("127.0.0.1:0"));
        std::string url = sockets[0].url;
        server_->accept_from(std::move(sockets[0]));
        started_.set_value(static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1))));
        co_await stop_requested_.wait();
        co_await server_->drain(grace_);
        co_await app_.shutdown();
    }

    handler::application& app_;
    options limits_;
    void (*init_thread_)();
    event_loop* loop_ = nullptr;
    server* server_ = nullptr;
    event stop_requested_;
    std::chrono::milliseconds grace_{0};
    std::atomic<bool> drain_requested_{false};
    std::promise<std::uint16_t> started_;
    std::promise<void> no_more_posts_;
    std::uint16_t port_ = 0;
    std::thread thread_;
};

/// A blocking client with a time-out of ten seconds.
class client {
public:
    explicit client(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(port);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        connected_ = ::connect(fd_.value(), reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
        timeval limit{.tv_sec = 10, .tv_usec = 0};
        ::setsockopt(fd_.value(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        ::setsockopt(fd_.value(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
        int on = 1;
        ::setsockopt(fd_.value(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    explicit client(const test_server& s) : client(s.port()) {}
    /// Connects to a unix socket.
    explicit client(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un to{};
        to.sun_family = AF_UNIX;
        path.copy(to.sun_path, sizeof to.sun_path - 1);
        connected_ = ::connect(fd_.value(), reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
    }

    [[nodiscard]] bool connected() const noexcept { return connected_; }
    [[nodiscard]] int fd() const noexcept { return fd_.value(); }

    /// False when the connection broke.
    bool send(std::string_view bytes) {
        while (!bytes.empty()) {
            ssize_t n = ::send(fd_.value(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (n <= 0) return false;
            bytes.remove_prefix(static_cast<std::size_t>(n));
        }
        return true;
    }
    /// Receives available bytes; empty at the end of input or on an error, which is then in error().
    std::string receive(std::size_t max = 1 << 16) {
        std::string bytes(max, '\0');
        ssize_t n = ::recv(fd_.value(), bytes.data(), max, 0);
        error_ = n < 0 ? errno : 0;
        bytes.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
        return bytes;
    }
    /// Receives exactly `size` bytes, or fewer when the connection ends before.
    std::string receive_exactly(std::size_t size) {
        std::string received;
        while (received.size() < size) {
            std::string part = receive(size - received.size());
            if (part.empty()) break;
            received += part;
        }
        return received;
    }
    /// Receives everything up to and including `mark`, or up to the end.
    std::string receive_until(std::string_view mark) {
        std::string received;
        while (!received.ends_with(mark)) {
            std::string byte = receive(1);
            if (byte.empty()) break;
            received += byte;
        }
        return received;
    }
    std::string receive_all() {
        std::string received;
        for (std::string part = receive(); !part.empty(); part = receive()) received += part;
        return received;
    }
    /// Receives a complete response with Content-Length: head and body.
    std::string response() {
        std::string head = receive_until("\r\n\r\n");
        std::size_t at = head.find("Content-Length: ");
        if (at == head.npos) return head;
        return head + receive_exactly(std::stoul(head.substr(at + 16)));
    }

    /// ECONNRESET after an RST.
    [[nodiscard]] int error() const noexcept { return error_; }
    void shutdown() { ::shutdown(fd_.value(), SHUT_WR); }
    void reset() {
        linger now{.l_onoff = 1, .l_linger = 0};
        ::setsockopt(fd_.value(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
        fd_.reset();
    }
    void close() { fd_.reset(); }

private:
    unique_fd fd_;
    int error_ = 0;
    bool connected_ = false;
};

/// A request that keeps the connection open.
inline std::string get(std::string_view path) { return "GET " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n\r\n"; }

}  // namespace rondo::server::testing
