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

constexpr int for_a_thread[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, SIGPROF, SIGVTALRM, SIGURG};

// A new thread inherits this mask from its creator; setting it in the thread itself would leave a window at its start.
class mask_of_threads {
public:
    mask_of_threads() noexcept {
        sigset_t mask;
        sigfillset(&mask);
        for (const int signal : for_a_thread) sigdelset(&mask, signal);
        pthread_sigmask(SIG_SETMASK, &mask, &before_);
    }
    ~mask_of_threads() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    mask_of_threads(const mask_of_threads&) = delete;
    mask_of_threads& operator=(const mask_of_threads&) = delete;

private:
    sigset_t before_{};
};

}  // namespace

named_thread::named_thread(std::string_view name, std::move_only_function<void()> body) {
    const mask_of_threads inherited_mask;
    thread_ = std::thread([name = std::string(name.substr(0, max_name_length)), body = std::move(body)]() mutable {
        ::pthread_setname_np(::pthread_self(), name.c_str());
        body();
    });
}

}  // namespace rondo
