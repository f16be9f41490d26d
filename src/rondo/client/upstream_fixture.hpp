// SPDX-License-Identifier: Apache-2.0
// Test fixture: a scripted server on the loop of the test.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <rondo/coro/task_group.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/net/listen.hpp>
#include <rondo/net/output_buffer.hpp>
#include <rondo/net/stream.hpp>
#include <rondo/net/tls.hpp>

namespace rondo::testing {

/// A server that runs a script for each connection, on the loop of the test.
class upstream final : acceptor {
public:
    /// One connection from the client.
    class peer : public net::stream {
    public:
        using net::stream::stream;
        /// Reads up to and including `mark`, or to the end.
        task<std::string> receive_until(std::string_view mark) {
            std::string all;
            while (!all.ends_with(mark)) {
                if (input().empty()) {
                    const net::input_event event = co_await receive();
                    if (event != net::input_event::data) break;
                    continue;
                }
                all += input().front();
                consume(1);
            }
            co_return all;
        }
        task<std::string> read_head() { return receive_until("\r\n\r\n"); }
        task<std::string> receive_exactly(std::size_t size) {
            std::string all;
            while (all.size() < size) {
                const std::string_view part = input().substr(0, size - all.size());
                all += part;
                consume(part.size());
                if (all.size() == size) break;
                const net::input_event event = co_await receive();
                if (event != net::input_event::data) break;
            }
            co_return all;
        }
        /// Waits until the client has closed the connection.
        task<void> wait_closed() {
            net::input_event event = net::input_event::data;
            while (event == net::input_event::data) {
                consume(input().size());
                event = co_await receive();
            }
        }
        void send(std::string_view text) {
            write(text);
            flush();
        }
    };
    using script = std::function<task<void>(peer&)>;
    /// A script that shares state with its test: coroutine lambdas must not capture.
    template <class T>
    static script script_with(T shared, std::type_identity_t<task<void> (*)(const T&, peer&)> s) {
        return [shared = std::move(shared), s](peer& p) { return s(shared, p); };
    }

    upstream(event_loop& loop, script s) : upstream(loop, std::move(s), "127.0.0.1:0") {}
    upstream(event_loop& loop, script s, std::string_view at)
        : upstream(loop, std::move(s), net::listen(net::bind_address::parse(at))) {}
    ~upstream() {
        stop();
        // Runs only the tasks of the connections to their end.
        const ready_queue::nested_queue own(ready_queue::current());
        for (auto& p : peers_) p->interrupt();
    }

    [[nodiscard]] std::string url(std::string_view path = "/") const { return socket_.url + std::string(path); }
    /// Uses TLS for connections accepted from now on.
    void use_tls(net::tls_context context) { tls_ = std::move(context); }
    [[nodiscard]] std::string secure_url(std::string_view host, std::string_view path = "/") const {
        return "https://" + std::string(host) + socket_.url.substr(socket_.url.rfind(':')) + std::string(path);
    }
    [[nodiscard]] std::size_t accepted_count() const noexcept { return peers_.size(); }
    /// Connections that the client has not closed yet.
    [[nodiscard]] std::size_t open_count() const noexcept { return tasks_.size(); }
    void stop() {
        if (!socket_.fd) return;
        loop_.io().stop_accepting(*this);
        socket_.fd.reset();
    }

private:
    upstream(event_loop& loop, script s, std::vector<net::listening_socket> sockets)
        : acceptor(sockets.at(0).fd.value()),
          loop_(loop),
          out_(loop),
          socket_(std::move(sockets.at(0))),
          script_(std::move(s)),
          tasks_(&task_group::ignore_failure, nullptr) {
        loop_.io().start_accepting(*this);
    }

    void accepted(int fd) noexcept override {
        peers_.push_back(std::make_unique<peer>(out_, unique_fd(fd)));
        tasks_.spawn(run(*peers_.back()));
    }
    void accept_failed(int) noexcept override {}
    task<void> run(peer& p) {
        if (tls_) {
            p.set_filter(tls_->accept());
            while (p.filter()->current_state() == net::stream_filter::state::handshaking) {
                const net::input_event event = co_await p.receive();
                if (event != net::input_event::data) co_return p.close();
            }
        }
        co_await script_(p);
        (void)co_await p.drained();
        p.close();
    }

    event_loop& loop_;
    net::output_buffer out_;
    net::listening_socket socket_;
    script script_;
    std::optional<net::tls_context> tls_;
    std::vector<std::unique_ptr<peer>> peers_;
    task_group tasks_;
};

/// A 200 response with Content-Length; `fields` are further field lines.
[[nodiscard]] inline std::string ok_text(std::string_view body, std::string_view fields = {}) {
    std::string out = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
    return ((out += fields) += "\r\n") += body;
}

}  // namespace rondo::testing
