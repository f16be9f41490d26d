// SPDX-License-Identifier: Apache-2.0
// A closed-loop HTTP/1.1 client that costs less per request than the servers it loads:
//
//   load --port P [--path /] [-c 64] [-d 6] [--pipeline N] [--browser] [--close] [--body N] [--rate N]
//
// One thread over io_uring: multishot receive, one send per burst. A first request measures the length of the response;
// every later response must have status 200 and the same length. Prints JSON: requests, seconds, latencies in
// microseconds, errors (connections lost, other statuses, other lengths).
//   --browser  the request head of a browser, 674 bytes in total
//   --close    a connection per request: connect, send and receive are one chain of linked operations
//   --body     POST with a body of N bytes
//   --rate     N requests per second in total, instead of one as soon as a connection is free; latency counts from
//              the moment a request is due
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/core.h>

#include "../sockets.hpp"
#include "../uring.hpp"
#include "histogram.hpp"

namespace {

constexpr std::string_view status_line = "HTTP/1.1 200";
constexpr std::string_view browser_fields =
    "Connection: keep-alive\r\nCache-Control: max-age=0\r\nUpgrade-Insecure-Requests: 1\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 "
    "Safari/537.36\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
    "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-User: ?1\r\nSec-Fetch-Dest: document\r\n"
    "Referer: http://127.0.0.1/some/page/of/this/site\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n"
    "Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n"
    "Cookie: csrftoken=Qm9vdHN0cmFwVG9rZW4xMjM0NTY3ODkw; sessionid=0a1b2c3d4e5f60718293a4b5c6d7e8f9; theme=dark\r\n";

struct options {
    int port = 8080;
    std::string path = "/";
    std::size_t connections = 64, pipeline = 1, body = 0;
    double seconds = 6, rate = 0;
    bool browser = false, close = false;
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
        else if (name == "-c") o.connections = std::strtoul(value(), nullptr, 10);
        else if (name == "-d") o.seconds = std::atof(value());
        else if (name == "--pipeline") o.pipeline = std::strtoul(value(), nullptr, 10);
        else if (name == "--body") o.body = std::strtoul(value(), nullptr, 10);
        else if (name == "--rate") o.rate = std::atof(value());
        else if (name == "--browser") o.browser = true;
        else if (name == "--close") o.close = true;
        else throw std::runtime_error(fmt::format("unknown option '{}'", name));
    }
    if (o.close && o.pipeline != 1) throw std::runtime_error("--close cannot be combined with --pipeline");
    if (o.rate > 0 && (o.close || o.pipeline != 1))
        throw std::runtime_error("--rate cannot be combined with --close or --pipeline");
    return o;
}

// The same request as wrk's, so that results are comparable.
std::string request(const options& o) {
    std::string text = fmt::format("{} {} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n", o.body ? "POST" : "GET", o.path, o.port);
    if (o.browser) text += browser_fields;
    if (o.close) text += "Connection: close\r\n";
    if (o.body) text += fmt::format("Content-Length: {}\r\n", o.body);
    return text + "\r\n" + std::string(o.body, 'x');
}

/// Sends one request and returns the length of its response, which must have a Content-Length.
std::size_t measure_length(const options& o) {
    const int fd = bench::connect_to(o.port);
    const std::string head = request(o);
    bench::checked(static_cast<int>(send(fd, head.data(), head.size(), MSG_NOSIGNAL)), "send");
    std::string received;
    std::size_t length = 0;
    while (length == 0 || received.size() < length) {
        char buffer[65536];
        const ssize_t n = recv(fd, buffer, sizeof buffer, 0);
        if (n <= 0) throw std::runtime_error("the first response ended early");
        received.append(buffer, static_cast<std::size_t>(n));
        const std::size_t end = received.find("\r\n\r\n");
        if (length || end == received.npos) continue;
        if (!received.starts_with(status_line)) throw std::runtime_error("the first response is not 200: " + received);
        constexpr char field[] = "\r\ncontent-length:";
        const char* found = strcasestr(received.c_str(), field);
        if (!found) throw std::runtime_error("the first response has no Content-Length: " + received);
        length = end + 4 + std::strtoul(found + sizeof field - 1, nullptr, 10);
    }
    close(fd);
    if (received.size() != length) throw std::runtime_error("the first response is longer than its Content-Length");
    return length;
}

class client {
public:
    explicit client(const options& o)
        : options_(o),
          address_(bench::loopback(o.port)),
          expected_(measure_length(o) * o.pipeline),
          ring_(1024, 8192, 2048, 8192),
          slots_(o.connections) {
        for (std::size_t i = 0; i < o.pipeline; ++i) burst_ += request(o);
        const auto files = static_cast<unsigned>(o.connections);
        bench::uring::checked(io_uring_register_files_sparse(ring_.raw(), files), "io_uring_register_files");
        if (!o.close) open_connections();
    }

    void run() {
        begin_ = now_ = due_ = bench::now_ns();
        const std::uint64_t end = begin_ + static_cast<std::uint64_t>(options_.seconds * 1e9);
        for (unsigned i = 0; i < slots_.size(); ++i) {
            if (options_.close) connect_and_send(i);
            else receive(i), send_next(i);
        }
        while (now_ < end && open_) {
            send_due();
            __kernel_timespec timeout{0, time_to_next()};
            ring_.run_once(&timeout, [this, first = true](const io_uring_cqe& done) mutable {
                if (first) now_ = bench::now_ns();
                first = false;
                if (done.user_data < slots_.size()) handle(static_cast<unsigned>(done.user_data), done);
            });
            if (now_ < end) now_ = bench::now_ns();
        }
        report();
    }

private:
    struct slot {
        std::uint64_t sent_at = 0;
        std::size_t received = 0;  // bytes of the current burst's responses
    };

    void open_connections() {
        std::vector<int> fds;
        for (std::size_t i = 0; i < slots_.size(); ++i) fds.push_back(bench::connect_to(options_.port));
        const auto count = static_cast<unsigned>(fds.size());
        bench::uring::checked(io_uring_register_files_update(ring_.raw(), 0, fds.data(), count), "files_update");
        for (const int fd : fds) close(fd);
    }

    void handle(unsigned i, const io_uring_cqe& done) {
        slot& s = slots_[i];
        if (done.res > 0) {
            const auto bytes = ring_.bytes(done);
            const std::size_t compared = std::min(bytes.size(), status_line.size());
            if (s.received == 0 && std::memcmp(bytes.data(), status_line.data(), compared) != 0) ++errors_;
            s.received += bytes.size();
        }
        ring_.release_buffer(done);
        if (done.res <= 0 && done.res != -ENOBUFS) return on_end(i);
        if (!(done.flags & IORING_CQE_F_MORE)) receive(i);
        if (options_.close || s.received < expected_) return;
        record(s);
        send_next(i);
    }

    void send_next(unsigned i) {
        if (interval_) idle_.push_back(i);
        else send_requests(i);
    }

    // With --rate: without an idle connection, due requests wait for one.
    void send_due() {
        for (; interval_ && due_ <= now_ && !idle_.empty(); due_ += interval_) {
            send_requests(idle_.back());
            slots_[idle_.back()].sent_at = due_;
            idle_.pop_back();
        }
    }

    /// Nanoseconds to wait at most.
    [[nodiscard]] long long time_to_next() const {
        constexpr std::uint64_t longest = 100'000'000;
        return static_cast<long long>(interval_ && !idle_.empty() ? std::min(due_ - now_, longest) : longest);
    }

    void record(const slot& s) {
        if (s.received != expected_) ++errors_;
        latencies_.add(now_ - s.sent_at, options_.pipeline);
    }

    void on_end(unsigned i) {
        if (!options_.close) {
            ++errors_;
            --open_;
            return;
        }
        if (slots_[i].received) record(slots_[i]);
        else ++errors_;
        connect_and_send(i);
    }

    // Creating a socket in a slot of the ring's file table closes the previous one.
    void connect_and_send(unsigned i) {
        ring_.reserve(4);
        io_uring_sqe* s = ring_.get_sqe();
        io_uring_prep_socket_direct(s, AF_INET, SOCK_STREAM, 0, i, 0);
        link(s);
        s = ring_.get_sqe();
        io_uring_prep_connect(s, static_cast<int>(i), reinterpret_cast<const sockaddr*>(&address_), sizeof address_);
        s->flags |= IOSQE_FIXED_FILE;
        link(s);
        send_requests(i, IOSQE_IO_LINK);
        receive(i);
    }

    static void link(io_uring_sqe* s) {
        s->flags |= IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS;
        io_uring_sqe_set_data64(s, no_slot);
    }

    void send_requests(unsigned i, unsigned flags = 0) {
        io_uring_sqe* s = ring_.get_sqe();
        io_uring_prep_send(s, static_cast<int>(i), burst_.data(), burst_.size(), MSG_NOSIGNAL | MSG_WAITALL);
        s->flags |= static_cast<std::uint8_t>(IOSQE_FIXED_FILE | IOSQE_CQE_SKIP_SUCCESS | flags);
        io_uring_sqe_set_data64(s, no_slot);
        slots_[i] = {now_, 0};
    }

    void receive(unsigned i) {
        io_uring_sqe* s = ring_.get_sqe();
        io_uring_prep_recv_multishot(s, static_cast<int>(i), nullptr, 0, 0);
        s->buf_group = bench::uring::group;
        s->flags |= IOSQE_BUFFER_SELECT | IOSQE_FIXED_FILE;
        io_uring_sqe_set_data64(s, i);
    }

    void report() const {
        const auto us = [](std::uint64_t ns) { return static_cast<double>(ns) / 1e3; };
        fmt::print(
            "{{\"requests\": {}, \"seconds\": {:.4f}, \"p50_us\": {:.1f}, \"p99_us\": {:.1f}, "
            "\"max_us\": {:.1f}, \"length\": {}, \"errors\": {}}}\n",
            latencies_.total(), static_cast<double>(now_ - begin_) / 1e9, us(latencies_.quantile(.5)),
            us(latencies_.quantile(.99)), us(latencies_.largest()), expected_ / options_.pipeline, errors_);
    }

    static constexpr std::uint64_t no_slot = ~std::uint64_t{0};

    options options_;
    sockaddr_in address_;
    std::size_t expected_;
    std::string burst_;
    bench::uring ring_;
    std::vector<slot> slots_;
    std::vector<unsigned> idle_;  // connections that wait until a request is due
    std::uint64_t interval_ = options_.rate > 0 ? static_cast<std::uint64_t>(1e9 / options_.rate) : 0, due_ = 0;
    bench::histogram latencies_;
    std::uint64_t begin_ = 0, now_ = 0, errors_ = 0;
    std::size_t open_ = options_.connections;
};

}  // namespace

int main(int argc, char** argv) try {
    bench::raise_descriptor_limit();
    client(parse(argc, argv)).run();
} catch (const std::exception& e) {
    fmt::print(stderr, "load: {}\n", e.what());
    return 1;
}
