// SPDX-License-Identifier: Apache-2.0
#include <rondo/channels/io_thread.hpp>

#include <exception>
#include <future>
#include <mutex>
#include <utility>

#include <rondo/base/fork_generation.hpp>

namespace rondo::channels_detail {

// Uses epoll: another io_uring would cost memory without benefit.
io_thread::io_thread()
    : blocking_({.name = "chan blocking"}),
      thread_({.name = "channels", .loop = {backend_kind::epoll}, .blocking = &blocking_}) {}

std::shared_ptr<io_thread> io_thread::shared() {
    static std::mutex mutex;
    static std::weak_ptr<io_thread> current;
    static process_mark process;
    const std::scoped_lock lock(mutex);
    std::shared_ptr<io_thread> found = process.is_own() ? current.lock() : nullptr;
    if (!found) {
        found.reset(new io_thread);
        current = found;
        process.renew();
    }
    return found;
}

void io_thread::post(std::move_only_function<void()> work) { loop().post(std::move(work)); }

void io_thread::run(std::move_only_function<void()> work) {
    std::promise<void> done;
    std::future<void> end = done.get_future();
    post([&work, done = std::move(done)]() mutable {
        try {
            work();
            done.set_value();
        } catch (...) {
            done.set_exception(std::current_exception());
        }
    });
    end.get();
}

}  // namespace rondo::channels_detail
