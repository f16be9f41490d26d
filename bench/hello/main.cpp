// SPDX-License-Identifier: Apache-2.0
// What is measured: an ordinary application. Nothing here or below it is made for measuring.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <string>
#include <thread>

#include <rondo/coro/queue.hpp>
#include <rondo/coro/task_group.hpp>
#include <rondo/web.hpp>

namespace {

using namespace std::chrono_literals;

constexpr unsigned longest_ms = 60'000, longest_text = 64U << 20;

rondo::task<rondo::response> hello(rondo::request&) { co_return rondo::text("Hello, World!"); }

rondo::response hello_sync(rondo::request&) { return rondo::text("Hello, World!"); }

// The shortest real wait: a view puts a question into one queue and waits for the answer in another, as it would for a
// connection of a pool.
class desk {
public:
    rondo::task<void> open() {
        clerks_.spawn(work());
        co_return;
    }

    rondo::task<void> close() {
        questions_.close();
        co_await clerks_.join();
    }

    rondo::task<rondo::response> ask(rondo::request&) {
        co_await questions_.push(0);
        (void)co_await answers_.pop();
        co_return rondo::text("Hello, World!");
    }

private:
    rondo::task<void> work() {
        while (const auto question = co_await questions_.pop()) co_await answers_.push(*question);
    }

    rondo::queue<int> questions_{4096};
    rondo::queue<int> answers_{4096};
    rondo::task_group clerks_;
};

// One timer, the shortest there is.
rondo::task<rondo::response> short_wait(rondo::request&) {
    co_await rondo::sleep(1ms);
    co_return rondo::text("Hello, World!");
}

rondo::task<rondo::response> long_wait(rondo::request&) {
    co_await rondo::sleep(1s);
    co_return rondo::text("Hello, World!");
}

rondo::response long_wait_sync(rondo::request&) {
    std::this_thread::sleep_for(1s);
    return rondo::text("Hello, World!");
}

std::chrono::milliseconds asked_for(rondo::request& request) {
    return std::chrono::milliseconds(std::min(request.query_as<unsigned>("ms", 10), longest_ms));
}

std::chrono::nanoseconds thread_cpu_time() {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

// Collatz chains: integer work that no compiler can skip, counted in the thread's own processor time.
rondo::response compute(rondo::request& request) {
    const auto end = thread_cpu_time() + asked_for(request);
    std::uint64_t start = 1, steps = 0;
    while (thread_cpu_time() < end)
        for (const std::uint64_t last = start + 100; start < last; ++start)
            for (std::uint64_t n = start; n != 1; ++steps) n = n % 2 ? 3 * n + 1 : n / 2;
    return rondo::text(std::to_string(steps) + " steps\n");
}

// Wrong on purpose: an async view that blocks its loop, for the stall detector to find.
rondo::task<rondo::response> block_loop(rondo::request& request) {
    std::this_thread::sleep_for(asked_for(request));
    co_return rondo::text("blocked\n");
}

rondo::task<rondo::response> long_text(rondo::request& request) {
    co_return rondo::text(std::string(std::min(request.query_as<unsigned>("n", 13), longest_text), 'x'));
}

}  // namespace

int main(int argc, char** argv) {
    desk front;
    rondo::app app;
    app.on_start([&front] { return front.open(); });
    app.on_stop([&front] { return front.close(); });
    app.get("/", hello);
    app.get("/sync", hello_sync);
    app.get("/queue", &front, &desk::ask);
    app.get("/timer", short_wait);
    app.get("/wait", long_wait);
    app.get("/wait-sync", long_wait_sync);
    app.get("/cpu", rondo::cpu(compute));
    app.get("/block", block_loop);
    app.get("/text", long_text);
    return rondo::run(app, argc, argv);
}
