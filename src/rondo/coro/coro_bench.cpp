// SPDX-License-Identifier: Apache-2.0
// The cost of the coroutine primitives alone, without a loop.
#include <vector>

#include <benchmark/benchmark.h>

#include <rondo/coro/async_generator.hpp>
#include <rondo/coro/event.hpp>
#include <rondo/coro/generator.hpp>
#include <rondo/coro/mutex.hpp>
#include <rondo/coro/queue.hpp>
#include <rondo/coro/sync_wait.hpp>
#include <rondo/coro/task_group.hpp>
#include <rondo/coro/when_all.hpp>
#include <rondo/coro/when_any.hpp>

namespace rondo {
namespace {

task<int> ready(int value) { co_return value; }

task<void> await_task(benchmark::State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(co_await ready(1));
}

task<void> empty_task() { co_return; }

task<void> spawn(benchmark::State& state) {
    task_group group(co_await this_context());
    for (auto _ : state) group.spawn(empty_task());
    co_await group.join();
}

task<void> lock(benchmark::State& state) {
    mutex m;
    for (auto _ : state) {
        auto guard = co_await m.lock();
        benchmark::DoNotOptimize(guard);
    }
}

task<void> push_and_pop(benchmark::State& state) {
    queue<int> q(8);
    for (auto _ : state) {
        co_await q.push(1);
        benchmark::DoNotOptimize(co_await q.pop());
    }
}

generator<int> numbers() {
    for (int i = 0;; ++i) co_yield int(i);
}

task<void> pull(benchmark::State& state) {
    auto g = numbers();
    for (auto _ : state) benchmark::DoNotOptimize(*g.next());
    co_return;
}

async_generator<int> async_numbers() {
    for (int i = 0;; ++i) co_yield int(i);
}

task<void> async_pull(benchmark::State& state) {
    auto g = async_numbers();
    for (auto _ : state) benchmark::DoNotOptimize(*co_await g.next());
}

task<void> when_all_of_two(benchmark::State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(co_await when_all(ready(1), ready(2)));
}

task<void> when_any_of_two(benchmark::State& state) {
    event never;
    for (auto _ : state) co_await when_any(ready(1), ready(2));
}

task<void> turns(benchmark::State& state, event& mine, event& other, bool& stop) {
    while (!stop) {
        co_await mine.wait();
        mine.reset();
        if (!stop) stop = !state.KeepRunning();
        other.set();
    }
}

task<void> wake_each_other(benchmark::State& state) {
    event first(true), second;
    bool stop = false;
    co_await when_all(turns(state, first, second, stop), turns(state, second, first, stop));
}

template <task<void> (*Body)(benchmark::State&)>
void run(benchmark::State& state) {
    task_context in;
    sync_wait(Body(state), &in);
}

BENCHMARK(run<await_task>)->Name("co_await a task that ends immediately");
BENCHMARK(run<spawn>)->Name("task_group.spawn");
BENCHMARK(run<lock>)->Name("mutex.lock, free");
BENCHMARK(run<push_and_pop>)->Name("queue push and pop, no wait");
BENCHMARK(run<pull>)->Name("generator.next");
BENCHMARK(run<async_pull>)->Name("async_generator.next");
BENCHMARK(run<when_all_of_two>)->Name("when_all of two that end immediately");
BENCHMARK(run<when_any_of_two>)->Name("when_any of two that end immediately");
BENCHMARK(run<wake_each_other>)->Name("event: suspend, wake, resume");

}  // namespace
}  // namespace rondo
