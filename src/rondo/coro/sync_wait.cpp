// SPDX-License-Identifier: Apache-2.0
#include <rondo/coro/sync_wait.hpp>

#include <condition_variable>
#include <mutex>

#include <rondo/coro/blocking_guard.hpp>
#include <rondo/coro/ready_queue.hpp>

namespace rondo::detail {

namespace {

class completion_signal final : public completion_handler {
public:
    std::coroutine_handle<> on_completion(std::coroutine_handle<>, std::size_t, std::exception_ptr) noexcept override {
        // Notified under the lock: once it is released, the waiting thread may destroy this object.
        std::lock_guard lock(mutex_);
        completed_ = true;
        changed_.notify_one();
        return std::noop_coroutine();
    }

    void wait() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return completed_; });
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool completed_ = false;
};

}  // namespace

void block_on(std::coroutine_handle<> task, task_promise_base& promise, task_context* in) {
    require_blocking_allowed("sync_wait");
    completion_signal end;
    promise.set_completion_handler(&end);
    promise.set_context(in);
    ready_queue::current().run_with(task);
    end.wait();
}

}  // namespace rondo::detail
