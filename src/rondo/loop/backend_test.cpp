// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <functional>
#include <memory>
#include <numeric>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rondo/base/unique_fd.hpp>
#include <rondo/loop/loop.hpp>

namespace rondo {
namespace {

using namespace std::chrono_literals;

// Runs a loop until a condition holds; every callback of a test calls check_condition().
struct loop_harness {
    explicit loop_harness(backend_kind kind) : loop(loop_options{.backend = kind}) {}

    event_loop loop;
    std::function<bool()> stop_condition;

    void check_condition() {
        if (stop_condition && stop_condition()) loop.stop();
    }
    [[nodiscard]] bool run_until(std::function<bool()> condition, clock::duration limit = 20s) {
        struct watchdog : timer {
            explicit watchdog(event_loop& l)
                : timer([](timer& t) noexcept { static_cast<watchdog&>(t).loop.stop(); }), loop(l) {}
            event_loop& loop;
        } dog(loop);
        if (condition()) return true;
        stop_condition = std::move(condition);
        loop.timers().arm(dog, from_now(limit));
        loop.run();
        return std::exchange(stop_condition, {})();
    }
    // Runs a few turns, for checks that nothing happens.
    void run_turns(int count = 3) {
        loop.run_until([](event_loop& l, int n) -> task<> {
            for (int i = 0; i < n; ++i) co_await l.sleep(2ms);
        }(loop, count));
    }
};

struct connection final : stream_socket {
    connection(loop_harness& w, int fd) : stream_socket(fd), harness_(w) { io().attach(*this); }
    ~connection() { io().close(*this); }
    backend& io() { return harness_.loop.io(); }

    void received(const loop_turn&, std::string_view bytes) noexcept override {
        input += bytes;
        ++pieces;
        if (on_received) on_received();
        else if (reading) io().request_input(*this);
        harness_.check_condition();
    }
    void receive_ended(int error) noexcept override {
        end_error = error;
        ++end_count;
        if (on_ended) on_ended();
        harness_.check_condition();
    }
    void peer_closed(bool reset, int) noexcept override {
        ++(reset ? resets : half_closes);
        if (on_closed) on_closed();
        harness_.check_condition();
    }
    void sent(std::ptrdiff_t result, void* owner) noexcept override {
        buffer_owner = owner;
        on_send_result(result);
        if (on_sent) on_sent();
        harness_.check_condition();
    }
    void writable() noexcept override {
        ++writable_count;
        if (on_writable) on_writable();
        else send_more();
        harness_.check_condition();
    }

    void read() {
        reading = true;
        io().request_input(*this);
    }
    void write(std::string bytes) {
        output += bytes;
        send_more();
    }
    void send_more() {
        while (!sending && sent_bytes < output.size()) {
            std::ptrdiff_t n = io().send(*this, output.data() + sent_bytes, output.size() - sent_bytes, this);
            if (n == backend::send_pending) sending = true;
            else on_send_result(n);
            if (send_error || waiting_for_room) return;
        }
    }
    void on_send_result(std::ptrdiff_t result) {
        bool was_pending = std::exchange(sending, false);
        waiting_for_room = result == -EAGAIN;
        if (result > 0) sent_bytes += static_cast<std::size_t>(result);
        else if (result == -EAGAIN) io().request_writable(*this);
        else send_error = static_cast<int>(-result);
        if (result > 0 && was_pending) send_more();
    }
    [[nodiscard]] bool all_sent() const { return sent_bytes == output.size(); }

    loop_harness& harness_;
    std::string input;
    std::string output;
    std::size_t sent_bytes = 0;
    int pieces = 0, end_count = 0, half_closes = 0, resets = 0, writable_count = 0;
    int end_error = -1, send_error = 0;
    void* buffer_owner = nullptr;
    bool reading = false, sending = false, waiting_for_room = false;
    std::function<void()> on_received, on_ended, on_closed, on_sent, on_writable;
};

struct listener final : acceptor {
    listener(loop_harness& w, int fd) : acceptor(fd), harness_(w) { w.loop.io().start_accepting(*this); }
    ~listener() { harness_.loop.io().stop_accepting(*this); }
    void accepted(int fd) noexcept override {
        fds.emplace_back(fd);
        if (on_accepted) on_accepted();
        harness_.check_condition();
    }
    void accept_failed(int error) noexcept override {
        failures.push_back(error);
        if (on_failed) on_failed();
        harness_.check_condition();
    }
    loop_harness& harness_;
    std::vector<unique_fd> fds;
    std::vector<int> failures;
    std::function<void()> on_accepted, on_failed;
};

struct poller final : poll_operation {
    explicit poller(loop_harness& w) : harness_(w) {}
    ~poller() { harness_.loop.io().cancel(*this); }
    void polled(int e) noexcept override {
        events = e;
        ++count;
        if (on_polled) on_polled();
        harness_.check_condition();
    }
    void start(int fd, int mask) { harness_.loop.io().poll(*this, fd, mask); }
    loop_harness& harness_;
    int events = 0, count = 0;
    std::function<void()> on_polled;
};

struct watcher final : descriptor_watch {
    explicit watcher(loop_harness& w) : harness_(w) {}
    ~watcher() { stop(); }
    void ready(int e) noexcept override {
        events = e;
        ++count;
        loop_harness& harness = harness_;  // the callback may destroy this object
        if (auto callback = on_ready) callback();
        harness.check_condition();
    }
    void start(int fd, int mask) { harness_.loop.io().watch(*this, fd, mask); }
    void change(int mask) { harness_.loop.io().change_watch(*this, mask); }
    void stop() { harness_.loop.io().unwatch(*this); }
    loop_harness& harness_;
    int events = 0, count = 0;
    std::function<void()> on_ready;
};

struct pipe_pair {
    pipe_pair() {
        std::array<int, 2> fds{};
        if (pipe2(fds.data(), O_CLOEXEC | O_NONBLOCK) < 0) throw std::system_error(errno, std::generic_category());
        in.reset(fds[0]);
        out.reset(fds[1]);
    }
    void write() const { EXPECT_EQ(::write(out.value(), "x", 1), 1); }
    void read() const {
        char c = 0;
        EXPECT_EQ(::read(in.value(), &c, 1), 1);
    }
    unique_fd in, out;
};

int error_of(const std::function<void()>& f) {
    try {
        f();
    } catch (const std::system_error& e) {
        return e.code().value();
    }
    return 0;
}

struct socket_pair {
    explicit socket_pair(int type = SOCK_STREAM | SOCK_CLOEXEC) {
        std::array<int, 2> fds{};
        if (socketpair(AF_UNIX, type, 0, fds.data()) < 0) throw std::system_error(errno, std::generic_category());
        server = fds[0];
        client.reset(fds[1]);
    }
    int server;
    unique_fd client;
};

unique_fd listen_on_loopback(int flags = 0) {
    unique_fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(fd.value(), reinterpret_cast<sockaddr*>(&a), sizeof a), 0);
    EXPECT_EQ(::listen(fd.value(), 4096), 0);
    return fd;
}

unique_fd connect_to(int listening) {
    sockaddr_in a{};
    socklen_t size = sizeof a;
    getsockname(listening, reinterpret_cast<sockaddr*>(&a), &size);
    unique_fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(fd.value(), reinterpret_cast<sockaddr*>(&a), sizeof a), 0) << strerror(errno);
    return fd;
}

struct tcp_pair {
    explicit tcp_pair(int flags = 0) {
        unique_fd listening = listen_on_loopback();
        client = connect_to(listening.value());
        server = ::accept4(listening.value(), nullptr, nullptr, SOCK_CLOEXEC | flags);
    }
    int server;
    unique_fd client;
};

void reset_connection(unique_fd& fd) {
    linger now{.l_onoff = 1, .l_linger = 0};
    setsockopt(fd.value(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    fd.reset();
}

void send_all(const unique_fd& fd, std::string_view bytes) {
    while (!bytes.empty()) {
        ssize_t n = ::send(fd.value(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        ASSERT_GT(n, 0) << strerror(errno);
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
}

std::string receive_bytes(const unique_fd& fd, std::size_t size) {
    std::string all(size, '\0');
    std::size_t received_bytes = 0;
    while (received_bytes < size) {
        ssize_t n = ::recv(fd.value(), all.data() + received_bytes, size - received_bytes, 0);
        if (n <= 0) break;
        received_bytes += static_cast<std::size_t>(n);
    }
    all.resize(received_bytes);
    return all;
}

// Pseudo-random bytes, to check their order.
std::string pattern(std::size_t size) {
    std::string s(size, '\0');
    std::uint32_t x = 12345;
    for (char& c : s) c = static_cast<char>((x = x * 1664525 + 1013904223) >> 24);
    return s;
}

bool is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }

class Backend : public testing::TestWithParam<backend_kind> {
protected:
    void SetUp() override {
        if (GetParam() == backend_kind::io_uring && !io_uring_available()) GTEST_SKIP() << "io_uring is not available";
    }
    [[nodiscard]] loop_harness& harness() {
        if (!harness_) harness_ = std::make_unique<loop_harness>(GetParam());
        return *harness_;
    }
    [[nodiscard]] bool is_io_uring() const { return GetParam() == backend_kind::io_uring; }

private:
    std::unique_ptr<loop_harness> harness_;
};

INSTANTIATE_TEST_SUITE_P(all, Backend, testing::Values(backend_kind::epoll, backend_kind::io_uring),
                         [](const auto& i) { return i.param == backend_kind::epoll ? "epoll" : "io_uring"; });

TEST_P(Backend, has_a_name) { EXPECT_EQ(harness().loop.io().name(), is_io_uring() ? "io_uring" : "epoll"); }

// Input

TEST_P(Backend, input_arrives) {
    for (int flags : {0, int{SOCK_NONBLOCK}}) {
        tcp_pair p(flags);
        connection c(harness(), p.server);
        c.read();
        harness().run_turns();
        send_all(p.client, "hello");
        ASSERT_TRUE(harness().run_until([&] { return c.input == "hello"; }));
        send_all(p.client, " again");
        ASSERT_TRUE(harness().run_until([&] { return c.input == "hello again"; }));
        EXPECT_EQ(c.end_count + c.half_closes + c.resets, 0);
    }
}

TEST_P(Backend, input_that_arrived_before_its_request_is_delivered) {
    socket_pair p;
    send_all(p.client, "early");
    connection c(harness(), p.server);
    harness().run_turns();
    c.read();
    ASSERT_TRUE(harness().run_until([&] { return c.input == "early"; }));
}

TEST_P(Backend, reports_the_end_of_input) {
    for (bool before : {true, false}) {
        tcp_pair p;
        connection c(harness(), p.server);
        send_all(p.client, "bye");
        if (before) shutdown(p.client.value(), SHUT_WR);
        c.read();
        if (!before) {
            ASSERT_TRUE(harness().run_until([&] { return c.input == "bye"; }));
            shutdown(p.client.value(), SHUT_WR);
        }
        ASSERT_TRUE(harness().run_until([&] { return c.end_count > 0; }));
        EXPECT_EQ(c.input, "bye");
        EXPECT_EQ(c.end_error, 0);
        // A further request reports the end again.
        c.read();
        ASSERT_TRUE(harness().run_until([&] { return c.end_count == 2; }));
        EXPECT_EQ(c.end_error, 0);
        EXPECT_EQ(c.half_closes, 0);
    }
}

TEST_P(Backend, reports_a_reset_as_an_error) {
    tcp_pair p;
    connection c(harness(), p.server);
    c.read();
    harness().run_turns();
    reset_connection(p.client);
    ASSERT_TRUE(harness().run_until([&] { return c.end_count > 0; }));
    EXPECT_EQ(c.end_error, ECONNRESET);
    harness().run_turns();
    EXPECT_EQ(c.end_count, 1);
}

TEST_P(Backend, notices_a_closed_client_while_no_input_is_requested) {
    tcp_pair half;
    tcp_pair closed;
    connection a(harness(), half.server);
    connection b(harness(), closed.server);
    for (connection* c : {&a, &b}) c->io().request_input(*c);
    send_all(half.client, "request");
    send_all(closed.client, "request");
    ASSERT_TRUE(harness().run_until([&] { return a.input == "request" && b.input == "request"; }));
    shutdown(half.client.value(), SHUT_WR);
    reset_connection(closed.client);
    ASSERT_TRUE(harness().run_until([&] { return a.half_closes && b.resets; }));
    // The peer can still read.
    a.write("answer");
    ASSERT_TRUE(harness().run_until([&] { return a.all_sent(); }));
    EXPECT_EQ(receive_bytes(half.client, 6), "answer");
    a.io().request_writable(a);
    ASSERT_TRUE(harness().run_until([&] { return a.writable_count > 0; }));
    harness().run_turns();
    EXPECT_EQ(a.half_closes, 1);
    EXPECT_EQ(a.resets, 0);
    EXPECT_EQ(b.half_closes, 0);
    EXPECT_EQ(b.resets, 1);
    a.read();
    ASSERT_TRUE(harness().run_until([&] { return a.end_count > 0; }));
    EXPECT_EQ(a.end_error, 0);
}

TEST_P(Backend, notices_a_client_that_closes_after_a_half_close) {
    tcp_pair p;
    connection c(harness(), p.server);
    c.io().request_input(c);
    send_all(p.client, "request");
    ASSERT_TRUE(harness().run_until([&] { return c.input == "request"; }));
    shutdown(p.client.value(), SHUT_WR);
    ASSERT_TRUE(harness().run_until([&] { return c.half_closes > 0; }));
    harness().run_turns();
    EXPECT_EQ(c.resets, 0);
    reset_connection(p.client);
    ASSERT_TRUE(harness().run_until([&] { return c.resets > 0; }));
    harness().run_turns();
    EXPECT_EQ(c.half_closes, 1);
    EXPECT_EQ(c.resets, 1);
}

TEST_P(Backend, reports_the_end_to_a_reader_after_a_half_close) {
    tcp_pair p;
    connection c(harness(), p.server);
    c.io().request_input(c);
    send_all(p.client, "request");
    ASSERT_TRUE(harness().run_until([&] { return c.input == "request"; }));
    shutdown(p.client.value(), SHUT_WR);
    ASSERT_TRUE(harness().run_until([&] { return c.half_closes > 0; }));
    c.read();
    ASSERT_TRUE(harness().run_until([&] { return c.end_count > 0; }));
    harness().run_turns();
    EXPECT_EQ(c.end_error, 0);
    EXPECT_EQ(c.end_count, 1);
    EXPECT_EQ(c.resets, 0);
}

TEST_P(Backend, reports_an_end_that_arrives_with_the_input) {
    tcp_pair half;
    tcp_pair closed;
    send_all(half.client, "request");
    shutdown(half.client.value(), SHUT_WR);
    send_all(closed.client, "request");
    reset_connection(closed.client);
    connection a(harness(), half.server);
    connection b(harness(), closed.server);
    for (connection* c : {&a, &b}) c->io().request_input(*c);
    ASSERT_TRUE(harness().run_until([&] { return a.half_closes && (b.resets || b.end_count); }));
    harness().run_turns();
    EXPECT_EQ(a.input, "request");
    EXPECT_EQ(a.half_closes, 1);
    EXPECT_EQ(a.resets, 0);
    EXPECT_EQ(b.resets + b.end_count, 1);
}

TEST_P(Backend, large_input_arrives_complete_and_in_order) {
    tcp_pair p;
    connection c(harness(), p.server);
    std::string all = pattern(24 << 20);
    c.read();
    std::jthread sender([&] { send_all(p.client, all); });
    ASSERT_TRUE(harness().run_until([&] { return c.input.size() >= all.size(); }, 60s));
    EXPECT_TRUE(c.input == all);
}

TEST_P(Backend, paused_input_stays_in_the_kernel_and_nothing_is_lost) {
    tcp_pair p;
    int small = 64 * 1024;
    setsockopt(p.server, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    connection c(harness(), p.server);
    std::string all = pattern(8 << 20);
    c.on_received = [&] { c.io().pause_input(c); };
    c.io().request_input(c);
    std::jthread sender([&] { send_all(p.client, all); });
    std::size_t rounds = 0;
    while (c.input.size() < all.size()) {
        std::size_t before = c.input.size();
        ASSERT_TRUE(harness().run_until([&] { return c.input.size() > before; }));
        harness().run_turns(1);  // input that was already received
        std::size_t after = c.input.size();
        if (rounds % 50 == 0) {
            harness().run_turns();
            EXPECT_EQ(c.input.size(), after);
        }
        c.io().request_input(c);
        if (rounds % 3 == 0) c.io().pause_input(c);
        if (rounds % 3 == 0) c.io().request_input(c);
        if (++rounds == 200) c.on_received = [&] { c.io().request_input(c); };
    }
    EXPECT_TRUE(c.input == all);
}

TEST_P(Backend, pausing_at_random_loses_nothing) {
    tcp_pair p;
    connection c(harness(), p.server);
    std::string all = pattern(4 << 20);
    std::uint32_t random = 1;
    c.on_received = [&] {
        switch ((random = random * 1664525 + 1013904223) >> 29) {
            case 0: c.io().pause_input(c); break;
            case 1:
                c.io().pause_input(c);
                c.io().request_input(c);
                break;
            case 2:
                c.io().request_input(c);
                c.io().pause_input(c);
                break;
            case 3: break;
            default: c.io().request_input(c);
        }
    };
    c.io().request_input(c);
    std::jthread sender([&] { send_all(p.client, all); });
    // Also requests input outside of the callbacks, so that every order of events occurs.
    harness().loop.run_until([](event_loop& l, connection& target, std::size_t size) -> task<> {
        for (instant end = from_now(20s); target.input.size() < size && clock::now() < end;) {
            target.io().request_input(target);
            co_await l.sleep(0ms);
        }
    }(harness().loop, c, all.size()));
    EXPECT_TRUE(c.input == all);
}

// Output

TEST_P(Backend, sends_output) {
    tcp_pair p;
    connection c(harness(), p.server);
    c.write("response");
    ASSERT_TRUE(harness().run_until([&] { return c.all_sent(); }));
    if (is_io_uring()) {
        EXPECT_EQ(c.buffer_owner, &c);
    }
    EXPECT_EQ(receive_bytes(p.client, 8), "response");
}

TEST_P(Backend, a_full_send_buffer_makes_the_sender_wait) {
    for (bool tcp : {true, false}) {
        tcp_pair t;
        socket_pair u;
        unique_fd& client = tcp ? t.client : u.client;
        if (tcp) ::close(u.server);
        else ::close(t.server);
        connection c(harness(), tcp ? t.server : u.server);
        std::string all = pattern(24 << 20);
        c.write(all);
        ASSERT_TRUE(harness().run_until([&] { return c.waiting_for_room; }));
        EXPECT_LT(c.sent_bytes, all.size());
        EXPECT_EQ(c.writable_count, 0);
        std::string received_bytes;
        std::jthread reader([&] { received_bytes = receive_bytes(client, all.size()); });
        ASSERT_TRUE(harness().run_until([&] { return c.all_sent() || c.send_error; }));
        reader.join();
        EXPECT_TRUE(received_bytes == all);
        EXPECT_GT(c.writable_count, 0);
        EXPECT_EQ(c.send_error, 0);
    }
}

TEST_P(Backend, sending_to_a_closed_peer_is_an_error_without_a_signal) {
    socket_pair p;
    connection c(harness(), p.server);
    p.client.reset();
    c.write("x");
    ASSERT_TRUE(harness().run_until([&] { return c.send_error != 0; }));
    EXPECT_EQ(c.send_error, EPIPE);
}

TEST_P(Backend, transfers_in_both_directions_at_once) {
    tcp_pair p;
    connection c(harness(), p.server);
    std::string all = pattern(16 << 20);
    c.output.reserve(all.size());  // the kernel reads from it
    c.on_received = [&] {          // an echo
        std::string part = std::move(c.input);
        c.input.clear();
        c.write(std::move(part));
        c.io().request_input(c);
    };
    c.io().request_input(c);
    std::string received_bytes;
    std::jthread writer([&] { send_all(p.client, all); });
    std::jthread reader([&] { received_bytes = receive_bytes(p.client, all.size()); });
    ASSERT_TRUE(harness().run_until([&] { return c.output.size() == all.size() && c.all_sent(); }, 60s));
    reader.join();
    EXPECT_TRUE(received_bytes == all);
}

// Closing

TEST_P(Backend, a_socket_may_be_closed_in_every_callback) {
    struct row {
        const char* what;
        void (*arrange)(connection&, tcp_pair&);
    };
    const std::array rows{
        row{"received",
            [](connection& c, tcp_pair& p) {
                c.read();
                send_all(p.client, pattern(300'000));
            }},
        row{"ended",
            [](connection& c, tcp_pair& p) {
                c.read();
                shutdown(p.client.value(), SHUT_WR);
            }},
        row{"reset",
            [](connection& c, tcp_pair& p) {
                c.read();
                reset_connection(p.client);
            }},
        row{"writable", [](connection& c, tcp_pair&) { c.io().request_writable(c); }},
        row{"all",
            [](connection& c, tcp_pair& p) {
                c.read();
                c.io().request_writable(c);
                send_all(p.client, "x");
                shutdown(p.client.value(), SHUT_WR);
            }},
    };
    for (const row& r : rows) {
        SCOPED_TRACE(r.what);
        tcp_pair p;
        connection c(harness(), p.server);
        int calls = 0;
        auto end = [&] {
            ++calls;
            c.io().close(c);
        };
        c.on_received = c.on_ended = c.on_closed = c.on_sent = c.on_writable = end;
        r.arrange(c, p);
        ASSERT_TRUE(harness().run_until([&] { return calls > 0; }));
        EXPECT_LT(c.fd(), 0);
        harness().run_turns();
        EXPECT_EQ(calls, 1);
        EXPECT_FALSE(is_open(p.server));
    }
}

TEST_P(Backend, a_socket_may_be_closed_when_the_peer_closed) {
    tcp_pair p;
    connection c(harness(), p.server);
    c.on_closed = [&] { c.io().close(c); };
    c.io().request_input(c);
    send_all(p.client, "x");
    ASSERT_TRUE(harness().run_until([&] { return c.input == "x"; }));
    reset_connection(p.client);
    ASSERT_TRUE(harness().run_until([&] { return c.resets > 0; }));
    harness().run_turns();
    EXPECT_FALSE(is_open(p.server));
}

TEST_P(Backend, a_callback_may_close_other_sockets) {
    // All have an event in the same turn; the first callback closes all.
    std::vector<std::unique_ptr<tcp_pair>> pairs;
    std::vector<std::unique_ptr<connection>> all;
    int calls = 0;
    for (int i = 0; i < 20; ++i) {
        pairs.push_back(std::make_unique<tcp_pair>());
        auto& c = all.emplace_back(std::make_unique<connection>(harness(), pairs.back()->server));
        c->on_received = [&] {
            ++calls;
            for (auto& other : all) other->io().close(*other);
        };
        c->read();
    }
    harness().run_turns();
    for (auto& p : pairs) send_all(p->client, "now");
    ASSERT_TRUE(harness().run_until([&] { return calls > 0; }));
    harness().run_turns();
    EXPECT_EQ(calls, 1);
    for (auto& p : pairs) EXPECT_EQ(receive_bytes(p->client, 1), "");
}

std::vector<void*> released_sends;

TEST_P(Backend, close_cancels_pending_operations_without_callbacks) {
    tcp_pair p;
    released_sends.clear();
    harness().loop.io().on_released = [](void* owner) noexcept { released_sends.push_back(owner); };
    std::string bytes(1000, 'x');
    {
        connection c(harness(), p.server);
        c.read();
        harness().run_turns();
        c.io().request_writable(c);
        std::ptrdiff_t n = c.io().send(c, bytes.data(), bytes.size(), &bytes);
        EXPECT_EQ(n, is_io_uring() ? backend::send_pending : 1000);
        c.io().close(c);
        c.io().close(c);  // no effect
        harness().run_turns();
        EXPECT_EQ(c.pieces + c.end_count + c.half_closes + c.resets + c.writable_count, 0);
        EXPECT_EQ(c.buffer_owner, nullptr);
    }
    if (is_io_uring()) {
        EXPECT_EQ(released_sends, std::vector<void*>{&bytes});
    }
    EXPECT_FALSE(is_open(p.server));
    harness().loop.io().on_released = nullptr;
}

TEST_P(Backend, a_descriptor_may_be_reused_right_after_close) {
    unique_fd listening = listen_on_loopback();
    std::unique_ptr<connection> last;
    for (int i = 0; i < 200; ++i) {
        unique_fd client = connect_to(listening.value());
        int fd = accept4(listening.value(), nullptr, nullptr, SOCK_CLOEXEC);
        auto c = std::make_unique<connection>(harness(), fd);
        c->read();
        std::string text = "number " + std::to_string(i);
        send_all(client, text);
        if (i % 2) send_all(client, "!");
        ASSERT_TRUE(harness().run_until([&] { return !c->input.empty(); }));
        EXPECT_EQ(c->input.substr(0, text.size()), text);
        if (i % 3 == 0) send_all(client, "unread");
        c->io().close(*c);
        last = std::move(c);
        harness().run_turns(1);
    }
}

TEST_P(Backend, a_destroyed_loop_completes_pending_closes) {
    tcp_pair p;
    {
        loop_harness local(GetParam());
        connection c(local, p.server);
        c.read();
        local.run_turns();
        c.io().close(c);
    }
    EXPECT_EQ(receive_bytes(p.client, 1), "");
    EXPECT_FALSE(is_open(p.server));
}

// Many

TEST_P(Backend, serves_a_thousand_connections) {
    constexpr int count = 1000;
    unique_fd listening = listen_on_loopback();
    listener l(harness(), listening.value());
    std::vector<unique_fd> clients;
    std::vector<std::unique_ptr<connection>> servers;
    l.on_accepted = [&] {
        auto& c = servers.emplace_back(std::make_unique<connection>(harness(), l.fds.back().release()));
        c->output.reserve(64);
        c->on_received = [&self = *c] {
            std::string part = std::move(self.input);
            self.input.clear();
            self.write(std::move(part));
            self.io().request_input(self);
        };
        c->io().request_input(*c);
    };
    std::jthread load([&] {
        for (int i = 0; i < count; ++i) clients.push_back(connect_to(listening.value()));
        for (int round = 0; round < 3; ++round) {
            for (auto& c : clients) send_all(c, "ping " + std::to_string(c.value()));
            for (auto& c : clients) {
                std::string expected = "ping " + std::to_string(c.value());
                ASSERT_EQ(receive_bytes(c, expected.size()), expected);
            }
        }
        for (auto& c : clients) c.reset();
    });
    ASSERT_TRUE(harness().run_until(
        [&] {
            return servers.size() == count &&
                   std::all_of(servers.begin(), servers.end(), [](const std::unique_ptr<connection>& c) {
                       return c->end_count + c->half_closes + c->resets > 0;
                   });
        },
        60s));
    EXPECT_TRUE(l.failures.empty());
}

TEST_P(Backend, serves_more_senders_than_buffers) {
    constexpr int count = 1200;
    std::vector<std::unique_ptr<socket_pair>> pairs;
    std::vector<std::unique_ptr<connection>> all;
    std::string text = pattern(20'000);
    for (int i = 0; i < count; ++i) {
        pairs.push_back(std::make_unique<socket_pair>());
        auto& c = all.emplace_back(std::make_unique<connection>(harness(), pairs.back()->server));
        c->read();
    }
    harness().run_turns();
    for (auto& p : pairs) send_all(p->client, text);
    ASSERT_TRUE(harness().run_until(
        [&] { return std::all_of(all.begin(), all.end(), [&](auto& c) { return c->input.size() == text.size(); }); },
        60s));
    for (auto& c : all) EXPECT_TRUE(c->input == text);
}

// Accepting

TEST_P(Backend, accepts_connections) {
    for (int flags : {0, int{SOCK_NONBLOCK}}) {
        unique_fd listening = listen_on_loopback(flags);
        listener l(harness(), listening.value());
        harness().run_turns();
        std::vector<unique_fd> clients;
        for (int i = 0; i < 100; ++i) clients.push_back(connect_to(listening.value()));
        ASSERT_TRUE(harness().run_until([&] { return l.fds.size() == 100; }));
        for (auto& fd : l.fds) EXPECT_TRUE(fcntl(fd.value(), F_GETFD) & FD_CLOEXEC);
        EXPECT_TRUE(l.failures.empty());
    }
}

TEST_P(Backend, a_stopped_acceptor_leaves_connections_in_the_queue) {
    unique_fd listening = listen_on_loopback();
    std::vector<unique_fd> clients;
    {
        listener l(harness(), listening.value());
        l.on_accepted = [&] { harness().loop.io().stop_accepting(l); };
        clients.push_back(connect_to(listening.value()));
        ASSERT_TRUE(harness().run_until([&] { return !l.fds.empty(); }));
        harness().run_turns();
        clients.push_back(connect_to(listening.value()));
        harness().run_turns();
        EXPECT_EQ(l.fds.size(), 1u);
    }
    listener again(harness(), listening.value());
    ASSERT_TRUE(harness().run_until([&] { return again.fds.size() == 1; }));
}

TEST_P(Backend, reports_a_lack_of_descriptors_and_accepts_again_afterwards) {
    unique_fd listening = listen_on_loopback();
    std::vector<unique_fd> clients;
    for (int i = 0; i < 3; ++i) clients.push_back(connect_to(listening.value()));
    rlimit before{};
    getrlimit(RLIMIT_NOFILE, &before);
    listener l(harness(), listening.value());
    harness().run_turns(0);
    unique_fd probe(dup(0));
    rlimit exhausted = before;
    exhausted.rlim_cur = static_cast<rlim_t>(probe.value());
    probe.reset();
    l.on_failed = [&] { harness().loop.io().stop_accepting(l); };
    setrlimit(RLIMIT_NOFILE, &exhausted);
    bool reported = harness().run_until([&] { return !l.failures.empty(); });
    setrlimit(RLIMIT_NOFILE, &before);
    ASSERT_TRUE(reported);
    EXPECT_EQ(l.failures.front(), EMFILE);
    harness().run_turns();
    EXPECT_EQ(l.failures.size(), 1u);
    std::size_t accepted = l.fds.size();
    harness().loop.io().start_accepting(l);
    ASSERT_TRUE(harness().run_until([&] { return l.fds.size() == 3; })) << accepted;
}

// Other descriptors

TEST_P(Backend, polls_once) {
    std::array<int, 2> fds{};
    ASSERT_EQ(pipe2(fds.data(), O_CLOEXEC | O_NONBLOCK), 0);
    unique_fd in(fds[0]);
    unique_fd out(fds[1]);
    poller readable(harness());
    poller writable(harness());
    readable.start(in.value(), POLLIN);
    writable.start(out.value(), POLLOUT);
    ASSERT_TRUE(harness().run_until([&] { return writable.count > 0; }));
    EXPECT_TRUE(writable.events & POLLOUT);
    harness().run_turns();
    EXPECT_EQ(writable.count, 1);
    EXPECT_EQ(readable.count, 0);
    ASSERT_EQ(::write(out.value(), "x", 1), 1);
    ASSERT_TRUE(harness().run_until([&] { return readable.count > 0; }));
    EXPECT_TRUE(readable.events & POLLIN);
    // Polls again from within the callback.
    char c = 0;
    readable.on_polled = [&] {
        if (readable.count < 4) readable.start(in.value(), POLLIN);
    };
    readable.start(in.value(), POLLIN);
    ASSERT_TRUE(harness().run_until([&] { return readable.count == 4; }));
    ASSERT_EQ(::read(in.value(), &c, 1), 1);
    readable.on_polled = {};
    readable.start(in.value(), POLLIN);
    out.reset();
    ASSERT_TRUE(harness().run_until([&] { return readable.count == 5; }));
    EXPECT_TRUE(readable.events & POLLHUP);
}

TEST_P(Backend, polls_a_descriptor_exclusively) {
    socket_pair p;
    unique_fd server(p.server);
    poller a(harness());
    a.start(server.value(), POLLIN | backend::exclusive);
    harness().run_turns();
    EXPECT_EQ(a.count, 0);
    send_all(p.client, "x");
    ASSERT_TRUE(harness().run_until([&] { return a.count == 1; }));
    EXPECT_TRUE(a.events & POLLIN);
    harness().run_turns();
    EXPECT_EQ(a.count, 1);
    a.start(server.value(), POLLIN | backend::exclusive);
    harness().loop.io().cancel(a);
    harness().run_turns();
    EXPECT_EQ(a.count, 1);
    a.start(server.value(), POLLIN | backend::exclusive);
    ASSERT_TRUE(harness().run_until([&] { return a.count == 2; }));
}

TEST_P(Backend, a_cancelled_poll_has_no_callback) {
    socket_pair p;
    unique_fd server(p.server);
    poller a(harness());
    a.start(server.value(), POLLIN);
    harness().run_turns();
    harness().loop.io().cancel(a);
    harness().loop.io().cancel(a);
    send_all(p.client, "x");
    harness().run_turns();
    EXPECT_EQ(a.count, 0);
    a.start(server.value(), POLLIN);
    ASSERT_TRUE(harness().run_until([&] { return a.count == 1; }));
    {
        poller destroyed(harness());
        destroyed.start(server.value(), POLLIN);
    }
    harness().run_turns();
    EXPECT_EQ(a.count, 1);
}

TEST_P(Backend, a_poll_may_cancel_another_of_the_same_turn) {
    socket_pair p;
    socket_pair q;
    unique_fd p_server(p.server);
    unique_fd q_server(q.server);
    poller a(harness());
    poller b(harness());
    a.on_polled = [&] { harness().loop.io().cancel(b); };
    b.on_polled = [&] { harness().loop.io().cancel(a); };
    a.start(p_server.value(), POLLIN);
    b.start(q_server.value(), POLLIN);
    send_all(p.client, "x");
    send_all(q.client, "x");
    ASSERT_TRUE(harness().run_until([&] { return a.count + b.count > 0; }));
    harness().run_turns();
    EXPECT_EQ(a.count + b.count, 1);
}

// Watches

TEST_P(Backend, a_watch_reports_input_in_each_turn_until_it_is_read) {
    pipe_pair p;
    watcher w(harness());
    w.start(p.in.value(), POLLIN);
    harness().run_turns();
    EXPECT_EQ(w.count, 0);
    p.write();
    ASSERT_TRUE(harness().run_until([&] { return w.count == 5; }));
    EXPECT_EQ(w.events, POLLIN);
    w.on_ready = [&] { p.read(); };
    harness().run_turns();
    EXPECT_EQ(w.count, 6);
    for (int i = 7; i < 20; ++i) {
        p.write();
        ASSERT_TRUE(harness().run_until([&] { return w.count == i; }));
        harness().run_turns(1);
        EXPECT_EQ(w.count, i);
    }
}

TEST_P(Backend, a_watch_reports_writability_and_changes) {
    socket_pair p(SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK);
    unique_fd server(p.server);
    watcher w(harness());
    w.start(server.value(), POLLIN | POLLOUT);
    ASSERT_TRUE(harness().run_until([&] { return w.count == 3; }));
    EXPECT_EQ(w.events, POLLOUT);
    send_all(p.client, "x");
    ASSERT_TRUE(harness().run_until([&] { return w.events == (POLLIN | POLLOUT); }));
    w.change(POLLIN);
    ASSERT_TRUE(harness().run_until([&] { return w.events == POLLIN; }));
    w.change(0);
    int before = w.count;
    harness().run_turns();
    EXPECT_EQ(w.count, before);
    // From within the callback.
    w.on_ready = [&] { w.change(w.events == POLLIN ? POLLOUT : 0); };
    w.change(POLLIN);
    harness().run_turns();
    EXPECT_EQ(w.count, before + 2);
    EXPECT_EQ(w.events, POLLOUT);
}

TEST_P(Backend, a_watch_reports_a_hang_up_without_a_request) {
    pipe_pair p;
    watcher w(harness());
    w.start(p.in.value(), 0);
    p.write();
    harness().run_turns();
    EXPECT_EQ(w.count, 0);
    p.out.reset();
    ASSERT_TRUE(harness().run_until([&] { return w.count == 3; }));
    EXPECT_EQ(w.events, POLLHUP);
    pipe_pair q;
    watcher writing(harness());
    writing.start(q.out.value(), 0);
    q.in.reset();
    ASSERT_TRUE(harness().run_until([&] { return writing.count == 3; }));
    EXPECT_EQ(writing.events, POLLERR);
}

TEST_P(Backend, a_watch_waits_for_writability_of_a_half_closed_connection) {
    socket_pair p(SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK);
    unique_fd server(p.server);
    const std::string block(16 * 1024, 'x');
    while (::send(server.value(), block.data(), block.size(), MSG_NOSIGNAL) > 0) {
    }
    ::shutdown(p.client.value(), SHUT_WR);
    watcher w(harness());
    w.start(server.value(), POLLOUT);
    harness().run_turns();
    auto turns = harness().loop.counters().turns.load();
    harness().run_turns(10);
    EXPECT_LT(harness().loop.counters().turns - turns, 30u);  // the state of the input does not wake the loop
    EXPECT_EQ(w.count, 0);
    std::string input(1 << 20, '\0');
    while (::recv(p.client.value(), input.data(), input.size(), MSG_DONTWAIT) > 0) {
    }
    ASSERT_TRUE(harness().run_until([&] { return w.count == 3; }));
    EXPECT_EQ(w.events, POLLOUT);
}

TEST_P(Backend, an_ended_watch_has_no_callback) {
    pipe_pair p;
    pipe_pair q;
    watcher a(harness());
    watcher b(harness());
    a.stop();
    p.write();
    q.write();
    a.start(p.in.value(), POLLIN);
    a.stop();
    a.stop();
    harness().run_turns();
    EXPECT_EQ(a.count, 0);
    // Of two that are ready in the same turn, the first ends both.
    a.on_ready = b.on_ready = [&] {
        a.stop();
        b.stop();
    };
    a.start(p.in.value(), POLLIN);
    b.start(q.in.value(), POLLIN);
    harness().run_turns();
    EXPECT_EQ(a.count + b.count, 1);
}

TEST_P(Backend, a_watch_may_be_replaced_or_destroyed_in_its_callback) {
    pipe_pair p;
    pipe_pair q;
    watcher a(harness());
    auto b = std::make_unique<watcher>(harness());
    int ended = 0;
    a.on_ready = [&] {
        a.stop();
        if (a.count == 1) a.start(q.in.value(), POLLIN);
    };
    b->on_ready = [&] {
        b.reset();
        ++ended;
    };
    a.start(p.in.value(), POLLIN);
    p.write();
    harness().run_turns();
    EXPECT_EQ(a.count, 1);
    b->start(p.in.value(), POLLIN);
    q.write();
    ASSERT_TRUE(harness().run_until([&] { return a.count == 2 && ended == 1; }));
    harness().run_turns();
    EXPECT_EQ(a.count, 2);
}

TEST_P(Backend, a_watch_reports_errors) {
    pipe_pair p;
    watcher w(harness());
    watcher other(harness());
    EXPECT_EQ(error_of([&] { w.start(-1, POLLIN); }), EBADF);
    const int closed = dup(p.in.value());
    ::close(closed);
    EXPECT_EQ(error_of([&] { w.start(closed, POLLIN); }), EBADF);
    EXPECT_EQ(error_of([&] { w.change(POLLIN); }), ENOENT);
    const unique_fd file(memfd_create("rondo", MFD_CLOEXEC));
    if (!is_io_uring()) {
        EXPECT_EQ(error_of([&] { w.start(file.value(), POLLIN); }), EPERM);
    }
    w.start(p.in.value(), POLLIN);
    EXPECT_EQ(error_of([&] { w.start(p.in.value(), POLLIN); }), EEXIST);
    EXPECT_EQ(error_of([&] { w.start(p.out.value(), POLLOUT); }), EEXIST);
    if (!is_io_uring()) {
        EXPECT_EQ(error_of([&] { other.start(p.in.value(), POLLIN); }), EEXIST);
    }
    p.write();
    ASSERT_TRUE(harness().run_until([&] { return w.count == 2; }));
    p.in.reset();
    EXPECT_NE(error_of([&] { w.change(POLLIN); }), 0);
    w.stop();
    int count = w.count;
    harness().run_turns();
    EXPECT_EQ(w.count, count);
}

TEST_P(Backend, a_close_takes_effect_right_after_the_end_of_the_watch) {
    for (bool ready : {false, true}) {
        socket_pair p;
        unique_fd server(p.server);
        watcher w(harness());
        w.start(server.value(), POLLIN);
        if (ready) send_all(p.client, "x");
        harness().run_turns();
        w.stop();
        char c = 0;
        if (ready) {
            EXPECT_EQ(::recv(server.value(), &c, 1, 0), 1);
        }
        server.reset();
        EXPECT_EQ(::recv(p.client.value(), &c, 1, MSG_DONTWAIT), 0);
    }
}

TEST_P(Backend, a_watch_survives_the_close_of_its_descriptor) {
    for (bool duplicated : {false, true}) {
        socket_pair p;
        auto old = std::make_unique<watcher>(harness());
        old->start(p.server, POLLIN);
        harness().run_turns();
        const unique_fd duplicate(duplicated ? dup(p.server) : -1);
        ::close(p.server);
        socket_pair q;
        unique_fd reused(q.server);
        if (q.server != p.server) {
            ASSERT_EQ(dup3(q.server, p.server, O_CLOEXEC), p.server);
            reused.reset(p.server);
        }
        watcher w(harness());
        w.start(reused.value(), POLLIN);
        harness().run_turns();
        old.reset();
        if (duplicated) send_all(p.client, "x");
        harness().run_turns();
        send_all(q.client, "x");
        ASSERT_TRUE(harness().run_until([&] { return w.count > 0; }));
        EXPECT_EQ(w.events, POLLIN);
    }
}

TEST_P(Backend, the_end_of_a_watch_does_not_affect_a_socket_with_its_number) {
    socket_pair p;
    watcher old(harness());
    old.start(p.server, POLLIN);
    harness().run_turns();
    ::close(p.server);
    socket_pair q;
    ASSERT_EQ(q.server, p.server);
    connection c(harness(), q.server);
    c.read();
    harness().run_turns();
    EXPECT_NE(is_io_uring() ? ENOENT : error_of([&] { old.change(POLLIN); }), 0);
    old.stop();
    send_all(q.client, "hello");
    ASSERT_TRUE(harness().run_until([&] { return c.input == "hello"; }));
}

TEST_P(Backend, many_watches_are_ready_in_one_turn) {
    std::vector<pipe_pair> pipes(200);
    std::deque<watcher> watches;
    for (pipe_pair& p : pipes) {
        watcher& w = watches.emplace_back(harness());
        w.on_ready = [&] { p.read(); };
        w.start(p.in.value(), POLLIN);
    }
    for (int round = 1; round <= 20; ++round) {
        for (const pipe_pair& p : pipes) p.write();
        auto done = [&] { return std::ranges::all_of(watches, [&](const watcher& w) { return w.count >= round; }); };
        ASSERT_TRUE(harness().run_until(done));
        for (const watcher& w : watches) ASSERT_EQ(w.count, round);
    }
}

}  // namespace
}  // namespace rondo
