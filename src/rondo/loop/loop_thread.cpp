// SPDX-License-Identifier: Apache-2.0
#include <rondo/loop/loop_thread.hpp>

#include <csignal>
#include <exception>
#include <future>
#include <utility>

#include <pthread.h>

namespace rondo {

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

void live(const loop_thread_options& options, std::promise<event_loop*> started) {
    ::pthread_setname_np(::pthread_self(), options.name.substr(0, 15).c_str());
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
    {
        const blocked_signals during;
        thread_ = std::thread([o = std::move(options)](std::promise<event_loop*> p) { live(o, std::move(p)); },
                              std::move(started));
    }
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
