// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include <signal.h>
#include <unistd.h>

#include <rondo/base/interrupt_thread.hpp>
#include <rondo/base/stack_trace.hpp>

// ThreadSanitizer defers signal handlers and calls them from its own code.
#if defined(__SANITIZE_THREAD__)
#define RONDO_DEFERRED_SIGNALS 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RONDO_DEFERRED_SIGNALS 1
#endif
#endif

namespace rondo {

// Not in the unnamed namespace, so that their names appear in stacks.
std::atomic<bool> stop_spinning{false};
std::atomic<pid_t> spinning_thread{0};

[[gnu::noinline]] void spin_until_stopped() {
    spinning_thread = gettid();
    while (!stop_spinning) std::this_thread::yield();
    spinning_thread = 0;
}

[[gnu::noinline]] stack_trace trace_of_here() {
    stack_trace t;
    t.capture();
    return t;
}

constexpr int first_line = __LINE__;

[[gnu::always_inline]] inline stack_trace trace_inlined() { return trace_of_here(); }

[[gnu::noinline]] stack_trace trace_of_caller() {
    stack_trace t = trace_inlined();
    return t;
}

namespace {

using namespace std::chrono_literals;

TEST(StackTrace, contains_inlined_functions_and_their_call_sites) {
    std::string text = trace_of_caller().text();
    auto location = [&](int n) { return "stack_trace_test.cpp:" + std::to_string(n) + "\n"; };
    std::size_t inlined = text.find("trace_inlined");
    std::size_t caller = text.find("rondo::trace_of_caller()");
    ASSERT_NE(inlined, std::string::npos) << text;
    ASSERT_NE(caller, std::string::npos) << text;
    EXPECT_LT(inlined, caller) << text;
    EXPECT_NE(text.find(location(first_line + 2), inlined), std::string::npos) << text;
    EXPECT_NE(text.find(location(first_line + 5), caller), std::string::npos) << text;
}

TEST(StackTrace, contains_functions_and_lines) {
    stack_trace t = trace_of_here();
    ASSERT_FALSE(t.empty());
    std::string text = t.text();
    EXPECT_NE(text.find("rondo::trace_of_here()"), std::string::npos) << text;
    EXPECT_NE(text.find("stack_trace_test.cpp:"), std::string::npos) << text;
    EXPECT_NE(text.find("main"), std::string::npos) << text;
    std::string cut = t.text("testing::");
    EXPECT_EQ(cut.find("\ntesting::"), std::string::npos) << cut;
    EXPECT_LT(cut.size(), text.size());
}

TEST(StackTrace, of_no_frames_is_empty_text) { EXPECT_EQ(stack_trace().text(), ""); }

TEST(InterruptThread, captures_the_stack_of_another_thread) {
    stop_spinning = false;
    std::thread other(spin_until_stopped);
    while (!spinning_thread) std::this_thread::yield();
    auto stack = capture_thread_stack(spinning_thread, 10s);
    stop_spinning = true;
    other.join();
    ASSERT_TRUE(stack);
    EXPECT_NE(stack->text().find("rondo::spin_until_stopped()"), std::string::npos) << stack->text();
#if !defined(RONDO_DEFERRED_SIGNALS)
    EXPECT_EQ(stack->text().find("on_signal"), std::string::npos) << stack->text();
#endif
}

void count_up(void* counter, std::uintptr_t) noexcept { ++*static_cast<std::atomic<int>*>(counter); }

TEST(InterruptThread, gives_up_on_a_thread_that_blocks_the_signal) {
    stop_spinning = false;
    std::atomic<int> calls{0};
    std::thread blocking([] {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, nullptr);
        spin_until_stopped();
        sigset_t none;
        sigemptyset(&none);
        pthread_sigmask(SIG_SETMASK, &none, nullptr);
    });
    while (!spinning_thread) std::this_thread::yield();
    // The thread blocks the signal: the timeout is not exhausted.
    const auto start = std::chrono::steady_clock::now();
    EXPECT_FALSE(interrupt_thread(spinning_thread, count_up, &calls, 20s));
    EXPECT_LT(std::chrono::steady_clock::now() - start, 5s);
    stop_spinning = true;
    blocking.join();
    EXPECT_EQ(calls, 0);
    EXPECT_FALSE(interrupt_thread(0x3fffffff, count_up, &calls, 1s));
}

TEST(InterruptThread, serves_many_concurrent_callers) {
    stop_spinning = false;
    std::thread other(spin_until_stopped);
    while (!spinning_thread) std::this_thread::yield();
    std::atomic<int> calls{0};
    {
        std::vector<std::jthread> callers;
        for (int i = 0; i < 4; ++i)
            callers.emplace_back([&] {
                for (int n = 0; n < 50; ++n) EXPECT_TRUE(interrupt_thread(spinning_thread, count_up, &calls, 10s));
            });
    }
    stop_spinning = true;
    other.join();
    EXPECT_EQ(calls, 200);
}

}  // namespace
}  // namespace rondo
