// SPDX-License-Identifier: Apache-2.0
// Opens many connections at once, sends a request on each, and reports the outcome:
//
//   many_connections --port P [--path /] [-n 10000] [--rate 512] [--barrier 5] [--deadline 60] [--hold]
//
// It first opens N connections, at most --rate of them being opened at the same time, from source addresses 127.0.1.1,
// 127.0.1.2, ... so that no address runs out of ports. When all are open, or after --barrier seconds, each sends a GET;
// a connection that opens later sends its own then. Latency counts from that moment for all of them, so a connection
// that could not be opened counts as waiting. With --hold it then prints READY and holds the connections until the end
// of its standard input. Everything stops at --deadline. The last line is JSON; "quantiles" are 101 latencies in
// seconds, from 0 to 100 %.
#include <poll.h>
#include <sys/epoll.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "../sockets.hpp"

namespace {

using clock_type = std::chrono::steady_clock;

double seconds_since(clock_type::time_point start) {
    return std::chrono::duration<double>(clock_type::now() - start).count();
}

struct options {
    int port = 8080;
    std::string path = "/";
    std::size_t connections = 10000, rate = 512;
    double barrier = 5, deadline = 60;
    bool hold = false;
};

options parse(int argc, char** argv) {
    options o;
    for (int i = 1; i < argc; ++i) {
        const std::string_view name = argv[i];
        const auto value = [&] {
            return i + 1 < argc ? argv[++i] : throw std::runtime_error(fmt::format("{}: a value is missing", name));
        };
        if (name == "--port") o.port = std::atoi(value());
        else if (name == "--path") o.path = value();
        else if (name == "-n") o.connections = std::strtoul(value(), nullptr, 10);
        else if (name == "--rate") o.rate = std::strtoul(value(), nullptr, 10);
        else if (name == "--barrier") o.barrier = std::atof(value());
        else if (name == "--deadline") o.deadline = std::atof(value());
        else if (name == "--hold") o.hold = true;
        else throw std::runtime_error(fmt::format("unknown option '{}'", name));
    }
    return o;
}

/// Whether `received` holds a complete response, with a Content-Length or chunked.
bool is_complete(const std::string& received) {
    const std::size_t head = received.find("\r\n\r\n");
    if (head == received.npos) return false;
    constexpr char length[] = "\r\ncontent-length:";
    if (const char* field = strcasestr(received.c_str(), length); field && field < received.c_str() + head)
        return received.size() - head - 4 >= std::strtoul(field + sizeof length - 1, nullptr, 10);
    return received.ends_with("\r\n0\r\n\r\n");
}

class many_connections {
public:
    explicit many_connections(const options& o)
        : options_(o),
          address_(bench::loopback(o.port)),
          clients_(o.connections),
          request_(fmt::format(
              "GET {} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: many_connections\r\nAccept: */*\r\n\r\n", o.path)) {
        epoll_ = bench::checked(epoll_create1(0), "epoll_create1");
        latencies_.reserve(o.connections);
    }

    void run() {
        static epoll_event events[1024];
        const auto count = clients_.size();
        while (latencies_.size() + bad_ + failed_ < count && seconds_since(begin_) < options_.deadline) {
            while (started_ < count && connecting_ < options_.rate) start(started_++);
            if (!sending_ && (opened_ + failed_ == count || seconds_since(begin_) > options_.barrier)) send_all();
            const int n = epoll_wait(epoll_, events, 1024, 20);
            for (int i = 0; i < n; ++i) handle(clients_[events[i].data.u32], events[i].events);
        }
        wall_ = seconds_since(sent_at_);
    }

    void hold() {
        fmt::print("READY\n");
        std::fflush(stdout);
        char c;
        while (read(0, &c, 1) > 0) continue;
    }

    /// The number of connections that got a response and that the server has not closed since.
    [[nodiscard]] std::size_t held() const {
        const auto is_open = [](const client& c) {
            char byte;
            return c.current == state::done && c.fd >= 0 && recv(c.fd, &byte, 1, MSG_PEEK) < 0 && errno == EAGAIN;
        };
        return static_cast<std::size_t>(std::count_if(clients_.begin(), clients_.end(), is_open));
    }

    void report() {
        std::sort(latencies_.begin(), latencies_.end());
        std::vector<std::string> quantiles;
        for (std::size_t i = 0; i <= 100; ++i)
            quantiles.push_back(fmt::format("{:.4f}", quantile(static_cast<double>(i) / 100)));
        fmt::print(
            "{{\"n\": {}, \"opened\": {}, \"ok\": {}, \"held\": {}, \"bad\": {}, \"failed\": {}, \"open_s\": {:.3f}, "
            "\"wall_s\": {:.3f}, \"p50_s\": {}, \"p99_s\": {}, \"max_s\": {}, \"quantiles\": [{}]}}\n",
            clients_.size(), opened_, latencies_.size(), held(), bad_, failed_, open_seconds_, wall_, quantiles[50],
            quantiles[99], quantiles[100], fmt::join(quantiles, ", "));
    }

private:
    enum class state : std::uint8_t { closed, connecting, open, sent, done, failed };
    struct client {
        int fd = -1;
        state current = state::closed;
        std::string received;
    };

    void start(std::size_t i) {
        client& c = clients_[i];
        c.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        if (c.fd < 0) return fail(c);
        const int enable = 1;
        setsockopt(c.fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &enable, sizeof enable);
        const auto sources = static_cast<std::uint32_t>(clients_.size() / 20000 + 4);
        const sockaddr_in from = bench::loopback(0, 0x7f000101U + static_cast<std::uint32_t>(i) % sources);
        if (bind(c.fd, reinterpret_cast<const sockaddr*>(&from), sizeof from) != 0) return fail(c);
        if (connect(c.fd, reinterpret_cast<const sockaddr*>(&address_), sizeof address_) != 0 && errno != EINPROGRESS)
            return fail(c);
        c.current = state::connecting;
        ++connecting_;
        epoll_event event{};
        event.events = EPOLLIN | EPOLLOUT | EPOLLET;
        event.data.u32 = static_cast<std::uint32_t>(i);
        epoll_ctl(epoll_, EPOLL_CTL_ADD, c.fd, &event);
    }

    void fail(client& c) {
        if (c.current == state::connecting) --connecting_;
        if (!failed_++) fmt::print(stderr, "many_connections: a connection failed: {}\n", std::strerror(errno));
        close_socket(c);
        c.current = state::failed;
    }

    static void close_socket(client& c) {
        if (c.fd >= 0) close(c.fd);
        c.fd = -1;
    }

    void send_all() {
        sending_ = true;
        sent_at_ = clock_type::now();
        for (client& c : clients_)
            if (c.current == state::open) send_request(c);
    }

    void send_request(client& c) {
        if (send(c.fd, request_.data(), request_.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request_.size()))
            return fail(c);
        c.current = state::sent;
    }

    void handle(client& c, std::uint32_t events) {
        if (c.fd < 0) return;
        if (c.current == state::connecting && !connected(c, events)) return;
        if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive(c);
    }

    bool connected(client& c, std::uint32_t events) {
        if (events & (EPOLLERR | EPOLLHUP)) return fail(c), false;
        if (!(events & EPOLLOUT)) return false;
        --connecting_;
        c.current = state::open;
        if (++opened_ == clients_.size()) open_seconds_ = seconds_since(begin_);
        if (sending_) send_request(c);
        return true;
    }

    void receive(client& c) {
        static char buffer[65536];
        ssize_t n = 0;
        while ((n = recv(c.fd, buffer, sizeof buffer, 0)) > 0)
            if (c.current == state::sent) c.received.append(buffer, static_cast<std::size_t>(n));
        const bool closed = n == 0 || errno != EAGAIN;
        if (c.current == state::sent && is_complete(c.received)) {
            if (c.received.starts_with("HTTP/1.1 200")) latencies_.push_back(seconds_since(sent_at_));
            else ++bad_;
            c.current = state::done;
            std::string().swap(c.received);
        }
        if (!closed) return;
        if (c.current == state::done) close_socket(c);  // the server may close an idle connection
        else fail(c);
    }

    [[nodiscard]] double quantile(double q) const {
        if (latencies_.empty()) return 0;
        const auto i = static_cast<std::size_t>(q * static_cast<double>(latencies_.size()));
        return latencies_[std::min(latencies_.size() - 1, i)];
    }

    options options_;
    sockaddr_in address_;
    std::vector<client> clients_;
    std::string request_;
    std::vector<double> latencies_;
    clock_type::time_point begin_ = clock_type::now(), sent_at_ = begin_;
    std::size_t started_ = 0, connecting_ = 0, opened_ = 0, failed_ = 0, bad_ = 0;
    double open_seconds_ = -1, wall_ = 0;
    int epoll_ = -1;
    bool sending_ = false;
};

}  // namespace

int main(int argc, char** argv) try {
    bench::raise_descriptor_limit();
    const options o = parse(argc, argv);
    many_connections connections(o);
    connections.run();
    if (o.hold) connections.hold();
    connections.report();
} catch (const std::exception& e) {
    fmt::print(stderr, "many_connections: {}\n", e.what());
    return 1;
}
