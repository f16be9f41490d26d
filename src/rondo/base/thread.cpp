// SPDX-License-Identifier: Apache-2.0
#include <rondo/base/thread.hpp>

#include <string>
#include <utility>

#include <pthread.h>
#include <signal.h>

namespace rondo {

namespace {

// The kernel limits names to 15 bytes and the terminating zero.
constexpr std::size_t max_name_length = 15;

constexpr int thread_directed_signals[] = {SIGSEGV, SIGBUS, SIGFPE,  SIGILL,    SIGABRT,
                                           SIGTRAP, SIGSYS, SIGPROF, SIGVTALRM, SIGURG};

// A new thread inherits this mask from its creator; setting it in the thread itself would leave a window at its start.
class scoped_signal_mask {
public:
    scoped_signal_mask() noexcept {
        sigset_t mask;
        sigfillset(&mask);
        for (const int signal : thread_directed_signals) sigdelset(&mask, signal);
        pthread_sigmask(SIG_SETMASK, &mask, &previous_);
    }
    ~scoped_signal_mask() { pthread_sigmask(SIG_SETMASK, &previous_, nullptr); }
    scoped_signal_mask(const scoped_signal_mask&) = delete;
    scoped_signal_mask& operator=(const scoped_signal_mask&) = delete;

private:
    sigset_t previous_{};
};

}  // namespace

named_thread::named_thread(std::string_view name, std::move_only_function<void()> body) {
    const scoped_signal_mask inherited_mask;
    thread_ = std::thread([name = std::string(name.substr(0, max_name_length)), body = std::move(body)]() mutable {
        ::pthread_setname_np(::pthread_self(), name.c_str());
        body();
    });
}

}  // namespace rondo
