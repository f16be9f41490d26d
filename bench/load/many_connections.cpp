// SPDX-License-Identifier: Apache-2.0
// Opens many connections at once and tells what became of them:
//
//   many_connections --port P [--path /] [-n 10000] [--rate 512] [--barrier 5] [--deadline 60] [--hold]
//
// First it opens N connections, at most --rate of them under way at once, from source addresses 127.0.1.1, 127.0.1.2,
// ... so that no address runs out of ports. When all are open, or after --barrier seconds, every one sends a GET; one
// that opens later sends when it opens. Latency counts from that moment for all of them, so a connection that could not
// be opened counts as waiting. With --hold it then prints READY and keeps the connections until its standard input
// ends. Everything stops at --deadline. The last line is JSON; "quantiles" are 101 latencies in seconds, from 0 to 100
// %.
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

using timer = std::chrono::steady_clock;

double seconds_since(timer::time_point start) { return std::chrono::duration<double>(timer::now() - start).count(); }

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
        const auto value = [&] { return i + 1 < argc ? argv[++i] : throw std::runtime_error("a value is missing"); };
        if (name == "--port") o.port = std::atoi(value());
        else if (name == "--path") o.path = value();
        else if (name == "-n") o.connections = std::strtoul(value(), nullptr, 10);
        else if (name == "--rate") o.rate = std::strtoul(value(), nullptr, 10);
        else if (name == "--barrier") o.barrier = std::atof(value());
        else if (name == "--deadline") o.deadline = std::atof(value());
        else if (name == "--hold") o.hold = true;
        else throw std::runtime_error(fmt::format("unknown option {}", name));
    }
    return o;
}

/// Whether `in` holds a whole response with a Content-Length, or a whole chunked one.
bool complete(const std::string& in) {
    const std::size_t head = in.find("\r\n\r\n");
    if (head == in.npos) return false;
    constexpr char length[] = "\r\ncontent-length:";
    if (const char* field = strcasestr(in.c_str(), length); field && field < in.c_str() + head)
        return in.size() - head - 4 >= std::strtoul(field + sizeof length - 1, nullptr, 10);
    return in.ends_with("\r\n0\r\n\r\n");
}

class many_connections {
public:
    explicit many_connections(const options& o)
        : options_(o),
          to_(bench::loopback(o.port)),
          clients_(o.connections),
          request_(
              fmt::format("GET {} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: many_connections\r\nAccept: */*\r\n\r\n", o.path)) {
        epoll_ = bench::checked(epoll_create1(0), "epoll_create1");
        latencies_.reserve(o.connections);
    }

    void run() {
        static epoll_event events[1024];
        const auto count = clients_.size();
        while (latencies_.size() + bad_ + failed_ < count && seconds_since(begin_) < options_.deadline) {
            while (started_ < count && connecting_ < options_.rate) start(started_++);
            if (!asking_ && (opened_ + failed_ == count || seconds_since(begin_) > options_.barrier)) ask_all();
            const int n = epoll_wait(epoll_, events, 1024, 20);
            for (int i = 0; i < n; ++i) handle(clients_[events[i].data.u32], events[i].events);
        }
        wall_ = seconds_since(asked_at_);
    }

    void hold() {
        fmt::print("READY\n");
        std::fflush(stdout);
        char c;
        while (read(0, &c, 1) > 0) continue;
    }

    /// The connections that were answered and that the server has not closed since.
    [[nodiscard]] std::size_t held() const {
        const auto open = [](const client& c) {
            char next;
            return c.now == state::done && c.fd >= 0 && recv(c.fd, &next, 1, MSG_PEEK) < 0 && errno == EAGAIN;
        };
        return static_cast<std::size_t>(std::count_if(clients_.begin(), clients_.end(), open));
    }

    void report() {
        std::sort(latencies_.begin(), latencies_.end());
        std::vector<std::string> quantiles;
        for (std::size_t i = 0; i <= 100; ++i)
            quantiles.push_back(fmt::format("{:.4f}", at(static_cast<double>(i) / 100)));
        fmt::print(
            "{{\"n\": {}, \"opened\": {}, \"ok\": {}, \"held\": {}, \"bad\": {}, \"failed\": {}, \"open_s\": {:.3f}, "
            "\"wall_s\": {:.3f}, \"p50_s\": {}, \"p99_s\": {}, \"max_s\": {}, \"quantiles\": [{}]}}\n",
            clients_.size(), opened_, latencies_.size(), held(), bad_, failed_, open_seconds_, wall_, quantiles[50],
            quantiles[99], quantiles[100], fmt::join(quantiles, ", "));
    }

private:
    enum class state : std::uint8_t { closed, connecting, open, asked, done, failed };
    struct client {
        int fd = -1;
        state now = state::closed;
        std::string in;
    };

    void start(std::size_t i) {
        client& c = clients_[i];
        c.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        if (c.fd < 0) return fail(c);
        const int one = 1;
        setsockopt(c.fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
        const auto sources = static_cast<std::uint32_t>(clients_.size() / 20000 + 4);
        const sockaddr_in from = bench::loopback(0, 0x7f000101U + static_cast<std::uint32_t>(i) % sources);
        if (bind(c.fd, reinterpret_cast<const sockaddr*>(&from), sizeof from) != 0) return fail(c);
        if (connect(c.fd, reinterpret_cast<const sockaddr*>(&to_), sizeof to_) != 0 && errno != EINPROGRESS)
            return fail(c);
        c.now = state::connecting;
        ++connecting_;
        epoll_event event{};
        event.events = EPOLLIN | EPOLLOUT | EPOLLET;
        event.data.u32 = static_cast<std::uint32_t>(i);
        epoll_ctl(epoll_, EPOLL_CTL_ADD, c.fd, &event);
    }

    void fail(client& c) {
        if (c.now == state::connecting) --connecting_;
        if (!failed_++) fmt::print(stderr, "many_connections: a connection failed: {}\n", std::strerror(errno));
        hang_up(c);
        c.now = state::failed;
    }

    static void hang_up(client& c) {
        if (c.fd >= 0) close(c.fd);
        c.fd = -1;
    }

    void ask_all() {
        asking_ = true;
        asked_at_ = timer::now();
        for (client& c : clients_)
            if (c.now == state::open) ask(c);
    }

    void ask(client& c) {
        if (send(c.fd, request_.data(), request_.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request_.size()))
            return fail(c);
        c.now = state::asked;
    }

    void handle(client& c, std::uint32_t events) {
        if (c.fd < 0) return;
        if (c.now == state::connecting && !connected(c, events)) return;
        if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive(c);
    }

    bool connected(client& c, std::uint32_t events) {
        if (events & (EPOLLERR | EPOLLHUP)) return fail(c), false;
        if (!(events & EPOLLOUT)) return false;
        --connecting_;
        c.now = state::open;
        if (++opened_ == clients_.size()) open_seconds_ = seconds_since(begin_);
        if (asking_) ask(c);
        return true;
    }

    void receive(client& c) {
        static char buffer[65536];
        ssize_t n = 0;
        while ((n = recv(c.fd, buffer, sizeof buffer, 0)) > 0)
            if (c.now == state::asked) c.in.append(buffer, static_cast<std::size_t>(n));
        const bool over = n == 0 || errno != EAGAIN;
        if (c.now == state::asked && complete(c.in)) {
            if (c.in.starts_with("HTTP/1.1 200")) latencies_.push_back(seconds_since(asked_at_));
            else ++bad_;
            c.now = state::done;
            std::string().swap(c.in);
        }
        if (!over) return;
        if (c.now == state::done) hang_up(c);  // the server may close a connection that is idle
        else fail(c);
    }

    [[nodiscard]] double at(double share) const {
        if (latencies_.empty()) return 0;
        const auto i = static_cast<std::size_t>(share * static_cast<double>(latencies_.size()));
        return latencies_[std::min(latencies_.size() - 1, i)];
    }

    options options_;
    sockaddr_in to_;
    std::vector<client> clients_;
    std::string request_;
    std::vector<double> latencies_;
    timer::time_point begin_ = timer::now(), asked_at_ = begin_;
    std::size_t started_ = 0, connecting_ = 0, opened_ = 0, failed_ = 0, bad_ = 0;
    double open_seconds_ = -1, wall_ = 0;
    int epoll_ = -1;
    bool asking_ = false;
};

}  // namespace

int main(int argc, char** argv) try {
    bench::allow_descriptors();
    const options o = parse(argc, argv);
    many_connections all(o);
    all.run();
    if (o.hold) all.hold();
    all.report();
} catch (const std::exception& e) {
    fmt::print(stderr, "many_connections: {}\n", e.what());
    return 1;
}
