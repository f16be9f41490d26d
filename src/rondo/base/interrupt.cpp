// SPDX-License-Identifier: Apache-2.0
#include <rondo/base/interrupt.hpp>

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

constexpr std::chrono::milliseconds limit_when_blocked{5};

enum class stage : int { none, asked, running, done };

// The only request at a time. The caller fills it in, the interrupted thread claims it; exactly one of them ends it.
struct request {
    std::atomic<stage> at{stage::none};
    std::atomic<pid_t> thread{0};
    interrupt_function function = nullptr;
    void* with = nullptr;
};
constinit request current_request;
constinit std::mutex one_at_a_time;
constinit struct sigaction previous{};

std::uintptr_t interrupted_at(const void* context) noexcept {
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
    stage expected = stage::asked;
    if (current_request.thread.load() == static_cast<pid_t>(syscall(SYS_gettid)) &&
        current_request.at.compare_exchange_strong(expected, stage::running)) {
        current_request.function(current_request.with, interrupted_at(context));
        current_request.at.store(stage::done);
    } else if (info->si_code != SI_TKILL) {
        if (previous.sa_flags & SA_SIGINFO) previous.sa_sigaction(signal, info, context);
        else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) previous.sa_handler(signal);
    }
    errno = saved;
}

void install() {
    static std::once_flag once;
    std::call_once(once, [] {
        struct sigaction action{};
        action.sa_sigaction = on_signal;
        action.sa_flags = SA_RESTART | SA_SIGINFO | SA_ONSTACK;
        sigemptyset(&action.sa_mask);
        if (sigaction(SIGURG, &action, &previous) < 0)
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

void wait_until(std::chrono::steady_clock::time_point end) {
    while (current_request.at.load() != stage::done && std::chrono::steady_clock::now() < end)
        std::this_thread::sleep_for(std::chrono::microseconds(100));
}

}  // namespace

bool interrupt_thread(pid_t thread, interrupt_function f, void* argument, std::chrono::milliseconds timeout) {
    std::lock_guard lock(one_at_a_time);
    install();
    // The thread may be about to unblock the signal: wait, but not for long.
    if (blocks_signal(thread)) timeout = std::min(timeout, limit_when_blocked);
    current_request.function = f;
    current_request.with = argument;
    current_request.thread.store(thread);
    current_request.at.store(stage::asked);
    if (syscall(SYS_tgkill, getpid(), thread, SIGURG) == 0) wait_until(std::chrono::steady_clock::now() + timeout);
    stage expected = stage::asked;
    if (current_request.at.compare_exchange_strong(expected, stage::none)) return false;
    // The function is already running and returns soon.
    while (current_request.at.load() != stage::done) std::this_thread::yield();
    current_request.at.store(stage::none);
    return true;
}

std::optional<stack_trace> stack_of_thread(pid_t thread, std::chrono::milliseconds timeout) {
    stack_trace::prepare();
    stack_trace stack;
    auto capture = [](void* argument, std::uintptr_t address) noexcept {
        static_cast<stack_trace*>(argument)->capture(address);
    };
    if (!interrupt_thread(thread, capture, &stack, timeout)) return std::nullopt;
    return stack;
}

}  // namespace rondo
