// SPDX-License-Identifier: Apache-2.0
// The measured application: an ordinary one. Neither it nor the library has code for benchmarks.
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

constexpr unsigned max_ms = 60'000, max_text = 64U << 20;

rondo::task<rondo::response> hello(rondo::request&) { co_return rondo::text("Hello, World!"); }

rondo::response hello_sync(rondo::request&) { return rondo::text("Hello, World!"); }

// The shortest real wait: a view pushes a request into one queue and waits for the reply in another, as it would wait
// for a connection of a pool.
class queue_service {
public:
    rondo::task<void> open() {
        workers_.spawn(work());
        co_return;
    }

    rondo::task<void> close() {
        requests_.close();
        co_await workers_.join();
    }

    rondo::task<rondo::response> call(rondo::request&) {
        co_await requests_.push(0);
        (void)co_await replies_.pop();
        co_return rondo::text("Hello, World!");
    }

private:
    rondo::task<void> work() {
        while (const auto request = co_await requests_.pop()) co_await replies_.push(*request);
    }

    rondo::queue<int> requests_{4096};
    rondo::queue<int> replies_{4096};
    rondo::task_group workers_;
};

// The shortest timer.
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

std::chrono::milliseconds requested_time(rondo::request& request) {
    return std::chrono::milliseconds(std::min(request.query_as<unsigned>("ms", 10), max_ms));
}

std::chrono::nanoseconds thread_cpu_time() {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

// Collatz chains: integer work that a compiler cannot remove, measured in CPU time of the thread.
rondo::response compute(rondo::request& request) {
    const auto end = thread_cpu_time() + requested_time(request);
    std::uint64_t start = 1, steps = 0;
    while (thread_cpu_time() < end)
        for (const std::uint64_t last = start + 100; start < last; ++start)
            for (std::uint64_t n = start; n != 1; ++steps) n = n % 2 ? 3 * n + 1 : n / 2;
    return rondo::text(std::to_string(steps) + " steps\n");
}

// Deliberately wrong: an async view that blocks its event loop, so that the stall detector reports it.
rondo::task<rondo::response> block_loop(rondo::request& request) {
    std::this_thread::sleep_for(requested_time(request));
    co_return rondo::text("blocked\n");
}

rondo::task<rondo::response> long_text(rondo::request& request) {
    co_return rondo::text(std::string(std::min(request.query_as<unsigned>("n", 13), max_text), 'x'));
}

}  // namespace

int main(int argc, char** argv) {
    queue_service service;
    rondo::app app;
    app.on_start([&service] { return service.open(); });
    app.on_stop([&service] { return service.close(); });
    app.get("/", hello);
    app.get("/sync", hello_sync);
    app.get("/queue", &service, &queue_service::call);
    app.get("/timer", short_wait);
    app.get("/wait", long_wait);
    app.get("/wait-sync", long_wait_sync);
    app.get("/cpu", rondo::cpu(compute));
    app.get("/block", block_loop);
    app.get("/text", long_text);
    return rondo::run(app, argc, argv);
}
