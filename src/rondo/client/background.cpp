// SPDX-License-Identifier: Apache-2.0
#include <rondo/client/background.hpp>

#include <future>
#include <thread>

#include <pthread.h>

#include <rondo/coro/task_group.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/loop/pool.hpp>

namespace rondo::detail {

namespace {

constexpr std::size_t resolver_threads = 2;

task<void> finish(task<void> work, std::promise<void>& done) {
    co_await std::move(work);
    done.set_value();
}

}  // namespace

struct client_background::state {
    state() : thread([this] { live(); }) { started.get_future().wait(); }
    ~state() {
        loop->stop();
        thread.join();
    }

    void live() {
        ::pthread_setname_np(::pthread_self(), "client");
        event_loop here;
        thread_pool resolving({.name = "client names", .threads = resolver_threads});
        here.use_pools(&resolving, nullptr);
        task_group running;
        calls = &running;
        loop = &here;
        started.set_value();
        here.run();
    }

    event_loop* loop = nullptr;
    task_group* calls = nullptr;
    std::promise<void> started;
    std::thread thread;
};

client_background::client_background() = default;
client_background::~client_background() = default;

void client_background::run(task<void> (*work)(void* with), void* with) {
    {
        std::lock_guard lock(starting_);
        if (!state_) state_ = std::make_unique<state>();
    }
    std::promise<void> done;
    state_->loop->post([&] { state_->calls->spawn(finish(work(with), done)); });
    done.get_future().wait();
}

}  // namespace rondo::detail
