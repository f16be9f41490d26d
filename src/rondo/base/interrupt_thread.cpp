// SPDX-License-Identifier: Apache-2.0
#include <rondo/base/interrupt_thread.hpp>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <mutex>
#include <system_error>
#include <thread>

#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

namespace rondo {

namespace {

constexpr std::chrono::milliseconds blocked_timeout{5};

enum class interrupt_state : int { idle, pending, running, done };

// The only request at a time. The caller fills it in, the interrupted thread claims it; exactly one of them ends it.
struct interrupt_request {
    std::atomic<interrupt_state> state{interrupt_state::idle};
    std::atomic<pid_t> thread{0};
    interrupt_function function = nullptr;
    void* argument = nullptr;
};
constinit interrupt_request current_request;
constinit std::mutex request_mutex;
constinit struct sigaction previous_action{};

std::uintptr_t interrupted_address(const void* context) noexcept {
    [[maybe_unused]] const auto& machine = static_cast<const ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
    return static_cast<std::uintptr_t>(machine.gregs[REG_RIP]);
#elif defined(__aarch64__)
    return static_cast<std::uintptr_t>(machine.pc);
#else
    return 0;
#endif
}

void on_signal(int signal, siginfo_t* info, void* context) {
    int saved = errno;
    interrupt_state expected = interrupt_state::pending;
    if (current_request.thread.load() == static_cast<pid_t>(syscall(SYS_gettid)) &&
        current_request.state.compare_exchange_strong(expected, interrupt_state::running)) {
        current_request.function(current_request.argument, interrupted_address(context));
        current_request.state.store(interrupt_state::done);
    } else if (info->si_code != SI_TKILL) {
        if (previous_action.sa_flags & SA_SIGINFO) previous_action.sa_sigaction(signal, info, context);
        else if (previous_action.sa_handler != SIG_DFL && previous_action.sa_handler != SIG_IGN)
            previous_action.sa_handler(signal);
    }
    errno = saved;
}

void install_handler() {
    static std::once_flag once;
    std::call_once(once, [] {
        struct sigaction action{};
        action.sa_sigaction = on_signal;
        action.sa_flags = SA_RESTART | SA_SIGINFO | SA_ONSTACK;
        sigemptyset(&action.sa_mask);
        if (sigaction(SIGURG, &action, &previous_action) < 0)
            throw std::system_error(errno, std::generic_category(), "sigaction");
    });
}

// True, for example, for kernel threads such as those of io_uring, and for threads of other libraries.
bool blocks_signal(pid_t thread) noexcept {
    char path[64];
    std::snprintf(path, sizeof path, "/proc/self/task/%d/status", static_cast<int>(thread));
    std::FILE* status = std::fopen(path, "re");
    if (!status) return false;
    unsigned long long blocked = 0;
    for (char line[256]; std::fgets(line, sizeof line, status);)
        if (std::sscanf(line, "SigBlk: %llx", &blocked) == 1) break;
    std::fclose(status);
    return ((blocked >> (SIGURG - 1)) & 1) != 0;
}

void wait_until_done(std::chrono::steady_clock::time_point end) {
    while (current_request.state.load() != interrupt_state::done && std::chrono::steady_clock::now() < end)
        std::this_thread::sleep_for(std::chrono::microseconds(100));
}

}  // namespace

bool interrupt_thread(pid_t thread, interrupt_function f, void* argument, std::chrono::milliseconds timeout) {
    std::lock_guard lock(request_mutex);
    install_handler();
    // The thread may be about to unblock the signal: wait, but not for long.
    if (blocks_signal(thread)) timeout = std::min(timeout, blocked_timeout);
    current_request.function = f;
    current_request.argument = argument;
    current_request.thread.store(thread);
    current_request.state.store(interrupt_state::pending);
    if (syscall(SYS_tgkill, getpid(), thread, SIGURG) == 0) wait_until_done(std::chrono::steady_clock::now() + timeout);
    interrupt_state expected = interrupt_state::pending;
    if (current_request.state.compare_exchange_strong(expected, interrupt_state::idle)) return false;
    // The function is already running and returns soon.
    while (current_request.state.load() != interrupt_state::done) std::this_thread::yield();
    current_request.state.store(interrupt_state::idle);
    return true;
}

std::optional<stack_trace> capture_thread_stack(pid_t thread, std::chrono::milliseconds timeout) {
    stack_trace::prepare();
    stack_trace stack;
    auto capture = [](void* argument, std::uintptr_t address) noexcept {
        static_cast<stack_trace*>(argument)->capture(address);
    };
    if (!interrupt_thread(thread, capture, &stack, timeout)) return std::nullopt;
    return stack;
}

}  // namespace rondo
