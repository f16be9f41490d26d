// SPDX-License-Identifier: Apache-2.0
#include <rondo/loop/loop_thread.hpp>

#include <exception>
#include <future>
#include <string>
#include <utility>

namespace rondo {

namespace {

void live(const loop_thread_options& options, std::promise<event_loop*> started) {
    bool begun = false;
    try {
        event_loop own(options.loop);
        own.use_pools(options.blocking, nullptr);
        begun = true;
        started.set_value(&own);
        own.run();
    } catch (...) {
        if (begun) throw;
        started.set_exception(std::current_exception());
    }
}

}  // namespace

loop_thread::loop_thread(loop_thread_options options) {
    std::promise<event_loop*> started;
    std::future<event_loop*> start = started.get_future();
    const std::string name = options.name;
    thread_ = named_thread(name, [o = std::move(options), p = std::move(started)]() mutable { live(o, std::move(p)); });
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
