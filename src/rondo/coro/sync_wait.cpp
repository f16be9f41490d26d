// SPDX-License-Identifier: Apache-2.0
#include <rondo/coro/sync_wait.hpp>

#include <condition_variable>
#include <mutex>

#include <rondo/coro/blocking.hpp>
#include <rondo/coro/ready_queue.hpp>

namespace rondo::detail {

namespace {

class end_signal final : public task_end {
public:
    std::coroutine_handle<> ended(std::coroutine_handle<>, std::size_t, std::exception_ptr) noexcept override {
        // Notified under the lock: once it is released, the waiting thread may destroy this object.
        std::lock_guard lock(mutex_);
        ended_ = true;
        changed_.notify_one();
        return std::noop_coroutine();
    }

    void wait() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return ended_; });
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool ended_ = false;
};

}  // namespace

void block_on(std::coroutine_handle<> task, task_promise_base& promise, context* in) {
    require_blocking_allowed("sync_wait");
    end_signal end;
    promise.end_at(&end);
    promise.run_in(in);
    ready_queue::current().run_with(task);
    end.wait();
}

}  // namespace rondo::detail
