// SPDX-License-Identifier: Apache-2.0
#include <rondo/loop/loop_thread.hpp>

#include <exception>
#include <future>
#include <string>
#include <utility>

namespace rondo {

namespace {

void run_loop(const loop_thread_options& options, std::promise<event_loop*> started) {
    bool running = false;
    try {
        event_loop loop(options.loop);
        loop.use_pools(options.blocking, nullptr);
        running = true;
        started.set_value(&loop);
        loop.run();
    } catch (...) {
        if (running) throw;
        started.set_exception(std::current_exception());
    }
}

}  // namespace

loop_thread::loop_thread(loop_thread_options options) {
    std::promise<event_loop*> started;
    std::future<event_loop*> start = started.get_future();
    const std::string name = options.name;
    thread_ =
        named_thread(name, [o = std::move(options), p = std::move(started)]() mutable { run_loop(o, std::move(p)); });
    try {
        loop_ = start.get();
    } catch (...) {
        thread_.join();
        throw;
    }
}

loop_thread::~loop_thread() {
    loop_->stop();
    thread_.join();
}

}  // namespace rondo
