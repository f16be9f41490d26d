// SPDX-License-Identifier: Apache-2.0
#include <rondo/channels/io_thread.hpp>

#include <csignal>
#include <exception>
#include <future>
#include <mutex>
#include <thread>
#include <utility>

#include <pthread.h>
#include <unistd.h>

namespace rondo::channels_detail {

namespace {

// Signals belong to the loops of the process, not to this thread; those of its own mistakes stay.
class blocked_signals {
public:
    blocked_signals() noexcept {
        sigset_t all;
        sigfillset(&all);
        for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGURG}) sigdelset(&all, own);
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~blocked_signals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    blocked_signals(const blocked_signals&) = delete;
    blocked_signals& operator=(const blocked_signals&) = delete;

private:
    sigset_t before_{};
};

}  // namespace

struct io_thread::state {
    event_loop* loop = nullptr;
    std::thread thread;

    void live(std::promise<void> started) {
        pthread_setname_np(pthread_self(), "channels");
        try {
            event_loop own({backend_kind::epoll});  // a ring of its own would cost memory and gain nothing
            loop = &own;
            started.set_value();
            own.run();
        } catch (...) {
            if (loop == nullptr) started.set_exception(std::current_exception());
        }
    }
};

io_thread::io_thread() : state_(std::make_unique<state>()) {
    std::promise<void> started;
    std::future<void> start = started.get_future();
    {
        const blocked_signals during;
        state_->thread = std::thread([this](std::promise<void> p) { state_->live(std::move(p)); }, std::move(started));
    }
    try {
        start.get();
    } catch (...) {
        state_->thread.join();
        throw;
    }
}

io_thread::~io_thread() {
    state_->loop->stop();
    state_->thread.join();
}

std::shared_ptr<io_thread> io_thread::shared() {
    static std::mutex mutex;
    static std::weak_ptr<io_thread> current;
    static pid_t made_by = 0;
    const std::scoped_lock held(mutex);
    std::shared_ptr<io_thread> found = made_by == getpid() ? current.lock() : nullptr;
    if (!found) {
        found.reset(new io_thread);
        current = found;
        made_by = getpid();
    }
    return found;
}

event_loop& io_thread::loop() noexcept { return *state_->loop; }

void io_thread::post(std::move_only_function<void()> work) { state_->loop->post(std::move(work)); }

void io_thread::run(std::move_only_function<void()> work) {
    std::promise<void> done;
    const std::future<void> end = done.get_future();
    post([&work, done = std::move(done)]() mutable {
        work();
        done.set_value();
    });
    end.wait();
}

}  // namespace rondo::channels_detail
