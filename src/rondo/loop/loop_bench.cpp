// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <memory>
#include <string_view>
#include <thread>
#include <vector>

#include <benchmark/benchmark.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rondo/loop/stall_detector.hpp>
#include <rondo/loop/thread_pool.hpp>

namespace rondo {
namespace {

using namespace std::chrono_literals;

loop_options with_backend(const benchmark::State& state) {
    return {.backend = state.range(0) ? backend_kind::io_uring : backend_kind::epoll};
}

bool available(benchmark::State& state) {
    if (!state.range(0) || io_uring_available()) return true;
    state.SkipWithError("io_uring is not available");
    return false;
}

void both_backends(benchmark::internal::Benchmark* b) { b->ArgName("uring")->Arg(0)->Arg(1); }

struct idle_timer : timer {
    idle_timer() : timer([](timer&) noexcept {}) {}
};

// A timeout that does not expire, as in every request.
void timer_arm_disarm(benchmark::State& state) {
    timer_wheel wheel(clock::now());
    instant due = from_now(60s);
    idle_timer t;
    for (auto _ : state) {
        wheel.arm(t, due);
        t.disarm();
    }
}
BENCHMARK(timer_arm_disarm);

void timer_move_later(benchmark::State& state) {
    timer_wheel wheel(clock::now());
    instant due = from_now(60s);
    idle_timer t;
    for (auto _ : state) wheel.arm(t, due += 1us);
}
BENCHMARK(timer_move_later);

void timer_fire(benchmark::State& state) {
    instant now = clock::now();
    timer_wheel wheel(now);
    std::vector<idle_timer> timers(1000);
    for (auto _ : state) {
        for (std::size_t i = 0; i < timers.size(); ++i)
            wheel.arm(timers[i], now + std::chrono::milliseconds(1 + i % 100));
        wheel.advance(now += 100ms);
    }
    state.SetItemsProcessed(state.iterations() * 1000);
}
BENCHMARK(timer_fire);

// One turn of the loop with a single coroutine.
void zero_sleep(benchmark::State& state) {
    if (!available(state)) return;
    event_loop loop(with_backend(state));
    loop.run_until([](event_loop& l, benchmark::State& s) -> task<> {
        for (auto _ : s) co_await l.sleep(-1s);
    }(loop, state));
}
BENCHMARK(zero_sleep)->Apply(both_backends);

void post_round_trip(benchmark::State& state) {
    if (!available(state)) return;
    event_loop loop(with_backend(state));
    struct reply_task final : posted_task {
        std::atomic<int>* count;
        void run_on_loop() noexcept override {
            count->fetch_add(1);
            count->notify_one();
        }
    };
    std::atomic<int> replied{0};
    reply_task a;
    a.count = &replied;
    std::jthread poster([&] {
        int n = 0;
        for (auto _ : state) {
            loop.post(a);
            replied.wait(n++);
        }
        loop.stop();
    });
    loop.run();
}
BENCHMARK(post_round_trip)->Apply(both_backends)->UseRealTime();

void pool_round_trip(benchmark::State& state) {
    if (!available(state)) return;
    thread_pool pool({.threads = 1});
    event_loop loop(with_backend(state));
    loop.run_until([](thread_pool& p, benchmark::State& s) -> task<> {
        for (auto _ : s) benchmark::DoNotOptimize(co_await p.run([] { return 1; }));
    }(pool, state));
}
BENCHMARK(pool_round_trip)->Apply(both_backends)->UseRealTime();

// An echo over a socket pair: the cost of a request to the loop.
struct echo final : stream_socket {
    echo(event_loop& l, int fd) : stream_socket(fd), loop(l) {
        loop.io().attach(*this);
        loop.io().request_input(*this);
    }
    ~echo() { loop.io().close(*this); }
    void received(const loop_turn&, std::string_view bytes) noexcept override {
        bytes.copy(reply, sizeof reply);
        (void)loop.io().send(*this, reply, bytes.size(), nullptr);
        loop.io().request_input(*this);
    }
    void receive_ended(int) noexcept override {}
    void peer_closed(bool, int) noexcept override {}
    void sent(std::ptrdiff_t, void*) noexcept override {}
    void writable() noexcept override {}
    event_loop& loop;
    char reply[64] = {};
};

void echo_round_trip(benchmark::State& state) {
    if (!available(state)) return;
    constexpr std::size_t pairs = 64;
    event_loop loop(with_backend(state));
    std::vector<int> clients;
    std::vector<std::unique_ptr<echo>> servers;
    for (std::size_t i = 0; i < pairs; ++i) {
        int fds[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) return state.SkipWithError("socketpair");
        servers.push_back(std::make_unique<echo>(loop, fds[0]));
        clients.push_back(fds[1]);
    }
    // The measured time includes the clients: a send and a receive each.
    loop.run_until([](event_loop& l, benchmark::State& s, std::vector<int>& fds) -> task<> {
        char bytes[64];
        for (auto _ : s) {
            for (int fd : fds) (void)!::write(fd, "ping", 4);
            for (int fd : fds)
                while (::recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) < 0) co_await l.sleep(-1s);
        }
    }(loop, state, clients));
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(pairs));
    for (int fd : clients) ::close(fd);
}
BENCHMARK(echo_round_trip)->Apply(both_backends);

// A stall detector must not slow a loop down.
void zero_sleep_watched(benchmark::State& state) {
    if (!available(state)) return;
    event_loop loop(with_backend(state));
    stall_detector detector(loop);
    loop.run_until([](event_loop& l, benchmark::State& s) -> task<> {
        for (auto _ : s) co_await l.sleep(-1s);
    }(loop, state));
}
BENCHMARK(zero_sleep_watched)->Apply(both_backends);

}  // namespace
}  // namespace rondo
