// SPDX-License-Identifier: Apache-2.0
// A fake PostgreSQL server whose replies a test scripts.
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace rondo::db::postgres {

/// Speaks as much of the PostgreSQL protocol as a test needs: for behaviour that a real server shows rarely, or only in
/// another language. Serves each connection on a thread.
class scripted_server {
public:
    static std::string message(char type, std::string_view body = {}) {
        std::string m(1, type);
        const std::uint32_t size = htonl(static_cast<std::uint32_t>(body.size() + 4));
        m.append(reinterpret_cast<const char*>(&size), 4).append(body);
        return m;
    }
    static std::string c_string(std::string_view t) { return std::string(t) + '\0'; }
    static std::string error_response(std::string_view severity, std::string_view code,
                                      std::string_view primary_message, std::string_view routine = "routine") {
        return message('E', "S" + c_string(severity) + "VERROR" + '\0' + "C" + c_string(code) + "M" +
                                c_string(primary_message) + "R" + c_string(routine) + '\0');
    }
    static std::string ready_for_query(char status) { return message('Z', std::string(1, status)); }
    static std::string notification_response(std::string_view payload) {
        return message('A', std::string("\0\0\0\7", 4) + c_string("c") + c_string(payload));
    }
    /// NoData and CommandComplete.
    static std::string command_complete(std::string_view tag) { return message('n') + message('C', c_string(tag)); }

    /// The connection of one client.
    class client_connection {
    public:
        explicit client_connection(int descriptor) noexcept : descriptor_(descriptor) {}
        void send(std::string_view bytes) const {
            while (!bytes.empty()) {
                const ssize_t n = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
                if (n <= 0) return;
                bytes.remove_prefix(static_cast<std::size_t>(n));
            }
        }
        /// Reads the startup message; returns its parameters as sent, empty when the client disconnected.
        std::string read_startup() {
            for (;;) {
                if (!fill(8)) return {};
                const std::uint32_t size = read_uint32(0);
                const std::uint32_t code = read_uint32(4);
                if (!fill(size)) return {};
                std::string body = consume(size).substr(8);
                if (code == 196608) return body;
                if (code == 80877102) return {};  // a cancel request
                send("N");
            }
        }
        void send_welcome(std::string_view more = {}) const {
            send(message('R', std::string(4, '\0')) + std::string(more) +
                 message('K', std::string("\0\0\0\1\0\0\0\2", 8)) + ready_for_query('I'));
        }
        /// Reads a message; returns its type and body; type 0: the client disconnected.
        std::pair<char, std::string> read_message() {
            if (!fill(5)) return {};
            const char type = bytes_[0];
            const std::uint32_t size = read_uint32(1);
            if (!fill(size + 1)) return {};
            return {type, consume(size + 1).substr(5)};
        }
        /// Serves statements until the client disconnects. `answer(step, name, sql)` returns the reply to every Parse
        /// (P), Bind (B), Execute (E) and Sync (S); empty: the reply of success.
        void serve_statements(const std::function<std::string(char, const std::string&, const std::string&)>& answer) {
            std::map<std::string, std::string> prepared;
            std::string name;
            bool failed = false;
            for (;;) {
                const auto [type, body] = read_message();
                if (type == 0 || type == 'X') return;
                if (type == 'P') {
                    name = body.c_str();
                    prepared[name] = body.c_str() + name.size() + 1;
                }
                if (type == 'B') name = body.c_str() + std::strlen(body.c_str()) + 1;
                if (type == 'D' || (failed && type != 'S')) continue;
                std::string reply = answer(type, name, prepared[name]);
                if (type == 'S') failed = false;
                else failed = reply.starts_with('E');
                if (reply.empty()) reply = default_reply(type);
                send(reply);
            }
        }
        /// Shuts down the server's sending side.
        void shutdown_write() const { ::shutdown(descriptor_, SHUT_WR); }

    private:
        static std::string default_reply(char type) {
            switch (type) {
                case 'P': return message('1');
                case 'B': return message('2');
                case 'E': return command_complete("SELECT 0");
                default: return ready_for_query('I');
            }
        }
        bool fill(std::size_t size) {
            char buffer[65536];
            while (bytes_.size() < size) {
                const ssize_t n = ::recv(descriptor_, buffer, sizeof buffer, 0);
                if (n <= 0) return false;
                bytes_.append(buffer, static_cast<std::size_t>(n));
            }
            return true;
        }
        [[nodiscard]] std::uint32_t read_uint32(std::size_t at) const {
            std::uint32_t n = 0;
            std::memcpy(&n, bytes_.data() + at, 4);
            return ntohl(n);
        }
        std::string consume(std::size_t size) {
            std::string first = bytes_.substr(0, size);
            bytes_.erase(0, size);
            return first;
        }
        int descriptor_;
        std::string bytes_;
    };

    /// `serve(client, number)` runs per connection, numbered from 1.
    explicit scripted_server(std::function<void(client_connection&, int)> serve) : serve_(std::move(serve)) {
        listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof at;
        ::bind(listener_, reinterpret_cast<sockaddr*>(&at), size);
        ::listen(listener_, 16);
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&at), &size);
        port_ = ntohs(at.sin_port);
        accept_thread_ = std::thread([this] { accept_all(); });
    }
    ~scripted_server() {
        ::shutdown(listener_, SHUT_RDWR);
        accept_thread_.join();
        {
            const std::lock_guard lock(mutex_);
            for (const int d : descriptors_) ::shutdown(d, SHUT_RDWR);
        }
        for (std::thread& t : connection_threads_) t.join();
        for (const int d : descriptors_) ::close(d);
        ::close(listener_);
    }
    scripted_server(const scripted_server&) = delete;
    scripted_server& operator=(const scripted_server&) = delete;

    [[nodiscard]] std::string url() const {
        return "postgres://u:p@127.0.0.1:" + std::to_string(port_) + "/db?sslmode=disable";
    }

private:
    void accept_all() {
        for (int number = 1;; ++number) {
            const int d = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
            if (d < 0) return;
            const std::lock_guard lock(mutex_);
            descriptors_.push_back(d);
            connection_threads_.emplace_back([this, d, number] {
                client_connection client(d);
                serve_(client, number);
                ::shutdown(d, SHUT_RDWR);
            });
        }
    }

    std::function<void(client_connection&, int)> serve_;
    int listener_ = -1;
    int port_ = 0;
    std::mutex mutex_;
    std::vector<int> descriptors_;
    std::vector<std::thread> connection_threads_;
    std::thread accept_thread_;
};

}  // namespace rondo::db::postgres
