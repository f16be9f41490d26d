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

lap timed_sleep() {
    stopwatch timer;
    timer.start();
    std::this_thread::sleep_for(20ms);
    return timer.stop();
}

TEST(CpuTimer, distinguishes_waiting_from_computing) {
    on_new_thread([] {
        const lap slept = timed_sleep();
        EXPECT_GE(slept.ns, 20'000'000);
        // The rest is the run delay at the end of the sleep.
        EXPECT_GE(slept.measured_ns, 20'000'000 * 9 / 10);
        EXPECT_LE(slept.measured_ns, slept.ns);
        EXPECT_LT(slept.cpu_ns, slept.measured_ns / 2);

        stopwatch timer;
        timer.start();
        const instant start = clock::now();
        lap computed;
        // On a busy machine the thread does not always run.
        for (unsigned i = 0; computed.cpu_ns < 5'000'000 && clock::now() - start < 20s; ++i)
            if (i % 1000 == 0) computed = timer.stop();
        EXPECT_GE(computed.cpu_ns, 5'000'000);
        EXPECT_LE(computed.cpu_ns, computed.ns);
    });
}

/// Keeps the only CPU of the test busy with other threads.
class busy_processor {
public:
    busy_processor() {
        cpu_set_t all;
        CPU_ZERO(&all);
        sched_getaffinity(0, sizeof all, &all);
        CPU_ZERO(&one_);
        int first = 0;
        while (!CPU_ISSET(first, &all)) ++first;
        CPU_SET(first, &one_);
        sched_setaffinity(0, sizeof one_, &one_);
        for (int i = 0; i < 4; ++i) threads_.emplace_back([this] { compute(); });
    }
    ~busy_processor() {
        end_ = true;
        for (std::thread& t : threads_) t.join();
    }

private:
    void compute() const noexcept {
        while (!end_.load(std::memory_order_relaxed)) {
        }
    }
    cpu_set_t one_{};
    std::atomic<bool> end_{false};
    std::vector<std::thread> threads_;
};

TEST(CpuTimer, run_delay_is_neither_computing_nor_waiting) {
    if (access("/proc/thread-self/schedstat", R_OK) != 0) GTEST_SKIP() << "the kernel has no schedstat";
    on_new_thread([] {
        const busy_processor busy;
        stopwatch timer;
        timer.start();
        lap computed;
        for (unsigned i = 0; computed.cpu_ns < 50'000'000; ++i)
            if (i % 1000 == 0) computed = timer.stop();
        EXPECT_GT(computed.ns, computed.cpu_ns * 2) << "five threads share a CPU";
        EXPECT_GE(computed.cpu_ns, computed.measured_ns / 10 * 8) << "it did nothing but compute";
        time_held total{};
        computed.add_to(total);
        EXPECT_EQ(total.ns, computed.measured_ns);

        const lap slept = timed_sleep();
        EXPECT_GE(slept.measured_ns, 20'000'000 * 9 / 10);
        EXPECT_LT(slept.cpu_ns, slept.measured_ns / 10) << "it did nothing but wait";
    });
}

TEST(CpuTimer, reads_cpu_time_of_one_short_piece_in_128_and_after_a_long_one) {
    on_new_thread([] {
        stopwatch timer;
        int measured = 0;
        int short_pieces = 0;
        for (int i = 0; i < 12800; ++i) {
            timer.start();
            const lap result = timer.stop();
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
    time_held total{};
    lap{.ns = 3'000'000}.add_to(total);
    lap{.ns = 7'000'000, .measured_ns = 7'000'000, .cpu_ns = 2'000'000}.add_to(total);
    lap{.ns = 1'000}.add_to(total);
    EXPECT_EQ(total.ns, 10'001'000);
    EXPECT_EQ(total.measured_ns, 7'000'000);
    EXPECT_EQ(total.cpu_ns, 2'000'000);
    EXPECT_EQ(total.longest_us, 7'000u);
}

}  // namespace
}  // namespace rondo
