// SPDX-License-Identifier: Apache-2.0
#include <rondo/stats/cpu_timer.hpp>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include <sched.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace rondo {
namespace {

using namespace std::chrono_literals;

// Each test uses a new thread: whether CPU time is read depends on the earlier measurements of the thread.
template <class F>
void on_new_thread(F f) {
    std::thread(f).join();
}

cpu_sample timed_sleep() {
    cpu_timer timer;
    timer.start();
    std::this_thread::sleep_for(20ms);
    return timer.stop();
}

TEST(CpuTimer, distinguishes_waiting_from_computing) {
    on_new_thread([] {
        const cpu_sample slept = timed_sleep();
        EXPECT_GE(slept.ns, 20'000'000);
        // The rest is the run delay at the end of the sleep.
        EXPECT_GE(slept.measured_ns, 20'000'000 * 9 / 10);
        EXPECT_LE(slept.measured_ns, slept.ns);
        EXPECT_LT(slept.cpu_ns, slept.measured_ns / 2);

        cpu_timer timer;
        timer.start();
        const instant start = clock::now();
        cpu_sample computed;
        // On a busy machine the thread does not always run.
        for (unsigned i = 0; computed.cpu_ns < 5'000'000 && clock::now() - start < 20s; ++i)
            if (i % 1000 == 0) computed = timer.stop();
        EXPECT_GE(computed.cpu_ns, 5'000'000);
        EXPECT_LE(computed.cpu_ns, computed.ns);
    });
}

/// Keeps the only CPU of the test busy with other threads.
class busy_cpu {
public:
    busy_cpu() {
        cpu_set_t all;
        CPU_ZERO(&all);
        sched_getaffinity(0, sizeof all, &all);
        CPU_ZERO(&cpu_);
        int first = 0;
        while (!CPU_ISSET(first, &all)) ++first;
        CPU_SET(first, &cpu_);
        sched_setaffinity(0, sizeof cpu_, &cpu_);
        for (int i = 0; i < 4; ++i) threads_.emplace_back([this] { spin(); });
    }
    ~busy_cpu() {
        stop_ = true;
        for (std::thread& t : threads_) t.join();
    }

private:
    void spin() const noexcept {
        while (!stop_.load(std::memory_order_relaxed)) {
        }
    }
    cpu_set_t cpu_{};
    std::atomic<bool> stop_{false};
    std::vector<std::thread> threads_;
};

TEST(CpuTimer, run_delay_is_neither_computing_nor_waiting) {
    if (access("/proc/thread-self/schedstat", R_OK) != 0) GTEST_SKIP() << "the kernel has no schedstat";
    on_new_thread([] {
        const busy_cpu busy;
        cpu_timer timer;
        timer.start();
        cpu_sample computed;
        for (unsigned i = 0; computed.cpu_ns < 50'000'000; ++i)
            if (i % 1000 == 0) computed = timer.stop();
        EXPECT_GT(computed.ns, computed.cpu_ns * 2) << "five threads share a CPU";
        EXPECT_GE(computed.cpu_ns, computed.measured_ns / 10 * 8) << "it did nothing but compute";
        thread_time_counters total{};
        computed.add_to(total);
        EXPECT_EQ(total.ns, computed.measured_ns);

        const cpu_sample slept = timed_sleep();
        EXPECT_GE(slept.measured_ns, 20'000'000 * 9 / 10);
        EXPECT_LT(slept.cpu_ns, slept.measured_ns / 10) << "it did nothing but wait";
    });
}

TEST(CpuTimer, reads_cpu_time_of_one_short_piece_in_128_and_after_a_long_one) {
    on_new_thread([] {
        cpu_timer timer;
        int measured = 0;
        int short_pieces = 0;
        for (int i = 0; i < 12800; ++i) {
            timer.start();
            const cpu_sample result = timer.stop();
            measured += result.measured_ns > 0;
            short_pieces += result.ns < 100'000;
        }
        EXPECT_GE(measured, 100);
        EXPECT_LE(measured, 100 + (12800 - short_pieces));
        (void)timed_sleep();
        EXPECT_GT(timed_sleep().measured_ns, 0);
        EXPECT_GT(timed_sleep().measured_ns, 0);
    });
}

TEST(CpuTimer, samples_add_up) {
    thread_time_counters total{};
    cpu_sample{.ns = 3'000'000}.add_to(total);
    cpu_sample{.ns = 7'000'000, .measured_ns = 7'000'000, .cpu_ns = 2'000'000}.add_to(total);
    cpu_sample{.ns = 1'000}.add_to(total);
    EXPECT_EQ(total.ns, 10'001'000);
    EXPECT_EQ(total.measured_ns, 7'000'000);
    EXPECT_EQ(total.cpu_ns, 2'000'000);
    EXPECT_EQ(total.max_us, 7'000u);
}

}  // namespace
}  // namespace rondo
