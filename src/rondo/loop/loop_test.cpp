// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rondo/base/unique_fd.hpp>
#include <rondo/coro/blocking_guard.hpp>
#include <rondo/coro/event.hpp>
#include <rondo/coro/task_group.hpp>
#include <rondo/coro/this_context.hpp>
#include <rondo/loop/loop.hpp>

namespace rondo {
namespace {

using namespace std::chrono_literals;

class EventLoop : public testing::TestWithParam<backend_kind> {
protected:
    void SetUp() override {
        if (GetParam() == backend_kind::io_uring && !io_uring_available()) GTEST_SKIP() << "io_uring is not available";
        loop_.emplace(loop_options{.backend = GetParam()});
    }
    [[nodiscard]] event_loop& loop() { return *loop_; }
    std::optional<event_loop> loop_;
};

INSTANTIATE_TEST_SUITE_P(all, EventLoop, testing::Values(backend_kind::epoll, backend_kind::io_uring),
                         [](const auto& i) { return i.param == backend_kind::epoll ? "epoll" : "io_uring"; });

struct counted {
    explicit counted(int& n) : n_(&n) { ++n; }
    counted(const counted& o) : n_(o.n_) { ++*n_; }
    counted& operator=(const counted&) = delete;
    ~counted() { --*n_; }
    int* n_;
};

struct posted_flag final : posted_task {
    void run_on_loop() noexcept override {
        ++runs;
        if (then) then();
    }
    int runs = 0;
    std::function<void()> then;
};

// Running

TEST_P(EventLoop, run_until_returns_the_result) {
    EXPECT_EQ(loop().run_until([]() -> task<int> { co_return 42; }()), 42);
    auto p = loop().run_until([](event_loop& l) -> task<std::unique_ptr<int>> {
        co_await l.sleep(1ms);
        co_return std::make_unique<int>(7);
    }(loop()));
    EXPECT_EQ(*p, 7);
    int x = 1;
    int& r = loop().run_until([](int& y) -> task<int&> { co_return y; }(x));
    EXPECT_EQ(&r, &x);
}

TEST_P(EventLoop, run_until_rethrows_the_exception) {
    EXPECT_THROW(loop().run_until([](event_loop& l) -> task<> {
        co_await l.sleep(1ms);
        throw std::out_of_range("x");
    }(loop())),
                 std::out_of_range);
}

TEST_P(EventLoop, run_until_returns_as_soon_as_the_task_ends) {
    // Nothing else would wake the loop after this timer.
    instant start = clock::now();
    loop().run_until([](event_loop& l) -> task<> { co_await l.sleep(20ms); }(loop()));
    EXPECT_GE(clock::now() - start, 20ms);
}

TEST_P(EventLoop, run_until_runs_in_the_given_context) {
    task_context c;
    c.cancel.cancel();
    EXPECT_THROW(loop().run_until([](event_loop& l) -> task<> { co_await l.sleep(1h); }(loop()), &c), cancelled);
}

TEST_P(EventLoop, run_until_ignores_stop) {
    EXPECT_EQ(loop().run_until([](event_loop& l) -> task<int> {
        l.stop();
        co_await l.sleep(5ms);
        co_return 3;
    }(loop())),
              3);
    loop().run();  // returns immediately
}

// Fails by hanging only.
TEST_P(EventLoop, stop_ends_run) {
    loop().post([this] { loop().stop(); });
    loop().run();
    std::jthread other([this] {
        std::this_thread::sleep_for(10ms);
        loop().stop();
    });
    loop().run();
}

TEST_P(EventLoop, a_running_loop_cannot_be_run_again) {
    loop().run_until([](event_loop& l) -> task<> {
        EXPECT_THROW(l.run(), synchronous_only);
        EXPECT_THROW(l.run_until([]() -> task<> { co_return; }()), synchronous_only);
        co_return;
    }(loop()));
}

TEST_P(EventLoop, there_is_at_most_one_per_thread) {
    EXPECT_EQ(&event_loop::current(), &loop());
    EXPECT_THROW(event_loop second(loop_options{.backend = GetParam()}), std::logic_error);
    EXPECT_EQ(&event_loop::current(), &loop());
    std::jthread([] {
        EXPECT_EQ(event_loop::current_or_null(), nullptr);
        EXPECT_THROW((void)event_loop::current(), std::logic_error);
    });
    loop_.reset();
    EXPECT_EQ(event_loop::current_or_null(), nullptr);
}

TEST_P(EventLoop, blocking_is_not_allowed_on_a_running_loop) {
    EXPECT_TRUE(blocking_allowed());
    loop().post([this] {
        EXPECT_FALSE(blocking_allowed());
        loop().stop();
    });
    loop().run();
    EXPECT_TRUE(blocking_allowed());
}

// Posting

TEST_P(EventLoop, posted_work_runs_in_order) {
    std::vector<int> order;
    for (int i = 0; i < 5; ++i) loop().post([&order, i] { order.push_back(i); });
    loop().post([this] { loop().stop(); });
    loop().run();
    EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4}));
}

TEST_P(EventLoop, posted_work_may_post) {
    int depth = 0;
    std::move_only_function<void()> next;
    struct chain {
        static void go(event_loop& l, int& depth) {
            if (++depth == 100) return l.stop();
            l.post([&l, &depth] { go(l, depth); });
        }
    };
    chain::go(loop(), depth);
    loop().run();
    EXPECT_EQ(depth, 100);
}

TEST_P(EventLoop, work_posted_by_several_threads_runs_in_the_order_of_each_thread) {
    constexpr int threads = 4;
    constexpr int per_thread = 5000;
    std::array<int, threads> last{};
    int total = 0;
    bool in_order = true;
    std::vector<std::jthread> posters;
    for (std::size_t t = 0; t < threads; ++t) {
        posters.emplace_back([&, t] {
            for (int i = 1; i <= per_thread; ++i) {
                loop().post([&, t, i] {
                    in_order = in_order && last[t] == i - 1;
                    last[t] = i;
                    if (++total == threads * per_thread) loop().stop();
                });
                if (i % 500 == 0) std::this_thread::sleep_for(100us);  // lets the loop wait
            }
        });
    }
    loop().run();
    EXPECT_TRUE(in_order);
    EXPECT_EQ(total, threads * per_thread);
}

// Each round continues only when the loop is woken: a lost wake-up hangs the test.
TEST_P(EventLoop, no_wake_up_is_lost) {
    std::atomic<int> handled{0};
    constexpr int rounds = 20'000;
    std::jthread other([&] {
        for (int i = 0; i < rounds; ++i) {
            loop().post([&] {
                handled.fetch_add(1);
                handled.notify_one();
            });
            handled.wait(i);
        }
        loop().stop();
    });
    loop().run();
    EXPECT_EQ(handled, rounds);
}

// ThreadSanitizer and AddressSanitizer detect when post() accesses the loop that its work has destroyed.
TEST_P(EventLoop, posted_work_may_end_the_loop) {
    for (int round = 0; round < 200; ++round) {
        loop_.reset();
        loop_.emplace(loop_options{.backend = GetParam()});
        std::thread other([target = &*loop_] { target->post([target] { target->stop(); }); });
        loop_->run();
        loop_.reset();
        other.join();
    }
}

TEST_P(EventLoop, wake_interrupts_the_wait) {
    std::atomic<bool> over{false};
    std::jthread other([&] {
        while (!over) {
            loop().wake();
            std::this_thread::sleep_for(100us);
        }
    });
    auto before = loop().counters().turns.load();
    struct hook final : event_loop::wait_hook {
        void before_wait() noexcept override {
            if (++calls == 20) loop->stop();
        }
        int calls = 0;
        event_loop* loop = nullptr;
    } h;
    h.loop = &loop();
    loop().add(h);
    loop().run();
    over = true;
    EXPECT_GE(loop().counters().turns - before, 20u);
}

TEST_P(EventLoop, pending_posted_work_runs_when_the_loop_is_destroyed) {
    int alive = 0;
    bool ran = false;
    loop().post([c = counted(alive), &ran] { ran = true; });
    EXPECT_EQ(alive, 1);
    loop_.reset();
    EXPECT_EQ(alive, 0);
    EXPECT_TRUE(ran);
}

// Deferring

TEST_P(EventLoop, deferred_work_runs_before_the_loop_waits) {
    posted_flag work;
    posted_flag later;
    loop().run_until([](event_loop& l, posted_flag& a, posted_flag& b) -> task<> {
        a.then = [&] { l.defer(b); };
        l.defer(a);
        EXPECT_EQ(a.runs, 0);
        for (int i = 0; i < 2; ++i) co_await l.sleep(0ms);
        EXPECT_EQ(a.runs, 1);
        EXPECT_EQ(b.runs, 1);
    }(loop(), work, later));
}

// A woken coroutine still uses the object that it waited for.
TEST_P(EventLoop, deferred_work_runs_after_coroutines_that_were_ready_before) {
    constexpr int count = 5'000;  // more than one turn resumes
    struct waits {
        static task<void> for_event(event& e, const posted_flag& destroyed, int& early) {
            co_await e.wait();
            early += destroyed.runs == 0 ? 1 : 0;
        }
    };
    posted_flag destroyed;
    int early = 0;
    loop().run_until([](event_loop& l, posted_flag& d, int& n) -> task<> {
        event all;
        task_group group(co_await this_context());
        for (int i = 0; i < count; ++i) group.spawn(waits::for_event(all, d, n));
        all.set();
        l.defer(d);
        co_await group.join();
        while (d.runs == 0) co_await l.sleep(0ms);
    }(loop(), destroyed, early));
    EXPECT_EQ(early, count);
    EXPECT_EQ(destroyed.runs, 1);
}

// Sleeping

TEST_P(EventLoop, a_sleep_is_never_too_short) {
    loop().run_until([](event_loop& l) -> task<> {
        for (auto d : {0us, 1us, 999us, 1000us, 1001us, 3500us, 20'000us}) {
            instant start = clock::now();
            co_await l.sleep(d);
            EXPECT_GE(clock::now() - start, d);
        }
        co_await l.sleep(-5s);
        co_await l.sleep_until(instant::min());
        co_await rondo::sleep(1ms);
    }(loop()));
}

TEST_P(EventLoop, a_zero_sleep_lets_other_coroutines_run) {
    int turns_of_other = 0;
    loop().run_until([](event_loop& l, int& n) -> task<> {
        task_group group(co_await this_context());
        group.spawn([](event_loop& loop, int& count) -> task<> {
            for (int i = 0; i < 10; ++i) {
                co_await loop.sleep(0ms);
                ++count;
            }
        }(l, n));
        auto turns = l.counters().turns.load();
        for (int i = 0; i < 30 && n < 10; ++i) co_await l.sleep(0ms);
        EXPECT_EQ(n, 10);
        EXPECT_LE(l.counters().turns - turns, 11u);
        co_await group.join();
    }(loop(), turns_of_other));
}

task<> sleep_and_count(event_loop& l, clock::duration d, int& cancelled_count, int& done_count) {
    try {
        co_await l.sleep(d);
        ++done_count;
    } catch (const cancelled& c) {
        ++cancelled_count;
        EXPECT_EQ(c.reason, cancel_reason::drain);
        throw;
    }
}

TEST_P(EventLoop, a_cancelled_sleep_ends_immediately) {
    int ended_by_cancel = 0;
    int done = 0;
    instant start = clock::now();
    loop().run_until([](event_loop& l, int& c, int& d) -> task<> {
        task_group group(co_await this_context());
        for (int i = 0; i < 2000; ++i) group.spawn(sleep_and_count(l, i % 2 ? 1h : clock::duration::max(), c, d));
        for (int i = 0; i < 50; ++i) group.spawn(sleep_and_count(l, 1ms, c, d));
        co_await l.sleep(20ms);
        EXPECT_EQ(d, 50);
        group.cancel(cancel_reason::drain);
        co_await group.join();
    }(loop(), ended_by_cancel, done));
    EXPECT_EQ(ended_by_cancel, 2000);
    EXPECT_LT(clock::now() - start, 10s);
    EXPECT_EQ(loop().timers().next() == instant::max(), false)
        << "slots of cancelled timers stay occupied until they pass";
}

TEST_P(EventLoop, a_sleeping_coroutine_may_be_destroyed) {
    int alive = 0;
    {
        auto sleeper = [](event_loop& l, counted) -> task<> { co_await l.sleep(5ms); }(loop(), counted(alive));
        loop().run_until([](task<>& t) -> task<> {
            t.coroutine().resume();
            co_return;
        }(sleeper));
        EXPECT_EQ(alive, 1);
    }
    EXPECT_EQ(alive, 0);
    loop().run_until([](event_loop& l) -> task<> { co_await l.sleep(10ms); }(loop()));
}

TEST_P(EventLoop, sleepers_wake_in_the_order_of_their_times) {
    std::vector<int> order;
    loop().run_until([](event_loop& l, std::vector<int>& out) -> task<> {
        task_group group(co_await this_context());
        instant now = clock::now();
        for (int ms : {30, 10, 20, 70, 5, 65})
            group.spawn([](event_loop& loop, instant at, int n, std::vector<int>& o) -> task<> {
                co_await loop.sleep_until(at);
                o.push_back(n);
            }(l, now + std::chrono::milliseconds(ms), ms, out));
        co_await group.join();
    }(loop(), order));
    EXPECT_EQ(order, (std::vector<int>{5, 10, 20, 30, 65, 70}));
}

// Counting

task<void> ping_pong(event& mine, event& other, const bool& ended) {
    while (!ended) {
        other.set();
        co_await mine.wait();
        mine.reset();
    }
    other.set();
}

task<void> wake_each_other_for(event_loop& loop, clock::duration time) {
    event ping;
    event pong;
    bool ended = false;
    task_group group;
    group.spawn(ping_pong(ping, pong, ended));
    group.spawn(ping_pong(pong, ping, ended));
    co_await loop.sleep(time);
    ended = true;
    co_await group.join();
}

// Fails by hanging only.
TEST_P(EventLoop, coroutines_that_keep_waking_each_other_do_not_starve_timers) {
    loop().run_until(wake_each_other_for(loop(), 5ms));
}

TEST_P(EventLoop, counts_its_turns_and_time) {
    loop_counters& c = loop().counters();
    EXPECT_EQ(c.turn_start_ns, 0);
    loop().run_until([](event_loop& l) -> task<> {
        co_await l.sleep(30ms);
        EXPECT_NE(l.counters().turn_start_ns, 0);
        for (instant end = from_now(20ms); clock::now() < end;) {
        }
        co_await l.sleep(1ms);
    }(loop()));
    EXPECT_EQ(c.turn_start_ns, 0);
    EXPECT_GE(c.turns, 2u);
    EXPECT_GE(c.longest_turn_ns, 20'000'000);
    EXPECT_GE(c.busy_ns, c.longest_turn_ns);
}

// Embedding

TEST_P(EventLoop, an_embedded_loop_runs_one_turn_at_a_time) {
    event_loop::embedding embedded(loop());
    auto turns = loop().counters().turns.load();
    bool ran = false;
    loop().post([&] { ran = true; });
    EXPECT_FALSE(ran);
    embedded.turn(0ns);
    EXPECT_TRUE(ran);
    loop().wake();
    embedded.turn(-1s);
    EXPECT_EQ(loop().counters().turns - turns, 2u);
    instant start = clock::now();
    for (int i = 0; i < 10 && clock::now() - start < 10ms; ++i) embedded.turn(10ms);  // a signal may end a wait
    EXPECT_GE(clock::now() - start, 10ms);
}

TEST_P(EventLoop, coroutines_woken_between_turns_resume_in_the_next_turn) {
    event_loop::embedding embedded(loop());
    event e;
    bool resumed = false;
    task_group group;
    group.spawn([](event& waits, bool& out) -> task<> {
        co_await waits.wait();
        out = true;
    }(e, resumed));
    embedded.turn(0ns);
    e.set();
    EXPECT_FALSE(resumed);
    embedded.turn(1ms);
    EXPECT_TRUE(resumed);
}

TEST_P(EventLoop, an_embedded_loop_fires_timers) {
    struct counting_timer : timer {
        counting_timer() : timer([](timer& t) noexcept { ++static_cast<counting_timer&>(t).count; }) {}
        int count = 0;
    };
    event_loop::embedding embedded(loop());
    counting_timer t;
    instant start = clock::now();
    loop().timers().arm(t, from_now(20ms));
    embedded.turn(0ns);
    EXPECT_EQ(t.count, 0);
    while (t.count == 0 && clock::now() - start < 10s) {
        embedded.turn(1s);  // until it is due
        embedded.turn(0ns);
    }
    EXPECT_GE(clock::now() - start, 20ms);
    EXPECT_LT(clock::now() - start, 5s);
    // Became due between turns.
    loop().timers().arm(t, from_now(1ms));
    std::this_thread::sleep_for(10ms);
    embedded.turn(0ns);
    EXPECT_EQ(t.count, 2);
}

TEST_P(EventLoop, other_threads_wake_an_embedded_loop) {
    event_loop::embedding embedded(loop());
    bool ran = false;
    std::jthread other([&] {
        std::this_thread::sleep_for(10ms);
        loop().post([&] {
            ran = true;
            loop().wake();
        });
    });
    for (int i = 0; i < 10 && !ran; ++i) embedded.turn(-1ns);
    EXPECT_TRUE(ran);
}

TEST_P(EventLoop, an_embedded_loop_cannot_be_run) {
    {
        event_loop::embedding embedded(loop());
        EXPECT_FALSE(blocking_allowed());
        EXPECT_THROW(loop().run(), synchronous_only);
        EXPECT_THROW(loop().run_until([]() -> task<> { co_return; }()), synchronous_only);
        EXPECT_THROW(event_loop::embedding second(loop()), synchronous_only);
        embedded.turn(0ns);
    }
    EXPECT_TRUE(blocking_allowed());
    EXPECT_EQ(loop().run_until([](event_loop& l) -> task<int> {
        EXPECT_THROW(event_loop::embedding within(l), synchronous_only);
        co_return 1;
    }(loop())),
              1);
}

TEST_P(EventLoop, the_time_between_turns_of_an_embedded_loop_counts) {
    loop_counters& c = loop().counters();
    {
        event_loop::embedding embedded(loop());
        EXPECT_NE(c.turn_start_ns, 0);
        embedded.turn(0ns);
        EXPECT_NE(c.turn_start_ns, 0);
        auto busy = c.busy_ns.load();
        std::this_thread::sleep_for(20ms);
        embedded.turn(50ms);
        EXPECT_GE(c.busy_ns - busy, 20'000'000);
        EXPECT_LT(c.busy_ns - busy, 50'000'000 + c.longest_turn_ns);
        EXPECT_GE(c.longest_turn_ns, 20'000'000);
    }
    EXPECT_EQ(c.turn_start_ns, 0);
}

struct pipe_watch final : descriptor_watch {
    void ready(int) noexcept override { ++count; }
    int count = 0;
};

TEST_P(EventLoop, input_read_between_turns_is_not_reported_again) {
    std::array<int, 2> fds{};
    ASSERT_EQ(pipe2(fds.data(), O_CLOEXEC | O_NONBLOCK), 0);
    const unique_fd in(fds[0]);
    const unique_fd out(fds[1]);
    event_loop::embedding embedded(loop());
    pipe_watch w;
    loop().io().watch(w, in.value(), POLLIN);
    for (int i = 1; i <= 10; ++i) {
        ASSERT_EQ(::write(out.value(), "x", 1), 1);
        embedded.turn(1s);
        EXPECT_EQ(w.count, i);
        char c = 0;
        ASSERT_EQ(::read(in.value(), &c, 1), 1);
        embedded.turn(0ns);
        EXPECT_EQ(w.count, i);
    }
    loop().io().unwatch(w);
}

TEST_P(EventLoop, its_descriptor_is_readable_when_there_are_events) {
    event_loop::embedding embedded(loop());
    const int descriptor = loop().io().descriptor();
    if (GetParam() == backend_kind::io_uring) {
        EXPECT_EQ(descriptor, -1);
        return;
    }
    pollfd p{.fd = descriptor, .events = POLLIN, .revents = 0};
    embedded.turn(0ns);
    EXPECT_EQ(::poll(&p, 1, 0), 0);
    loop().wake();
    EXPECT_EQ(::poll(&p, 1, 0), 1);
    embedded.turn(-1ns);
    EXPECT_EQ(::poll(&p, 1, 0), 0);
}

// Blocking

struct recording_block_hook final : event_loop::block_hook {
    std::chrono::nanoseconds before_block(std::chrono::nanoseconds wait) noexcept override {
        waits.push_back(wait);
        return wait.count() < 0 || wait > limit ? limit : wait;
    }
    std::vector<std::chrono::nanoseconds> waits;
    std::chrono::nanoseconds limit = 1h;
};

TEST_P(EventLoop, the_block_hook_is_called_before_the_loop_blocks) {
    event_loop::embedding embedded(loop());
    recording_block_hook hook;
    loop().set_block_hook(&hook);
    embedded.turn(0ns);
    loop().post([] {});
    loop().post([this] { loop().post([] {}); });
    embedded.turn(1s);  // more work was posted
    EXPECT_TRUE(hook.waits.empty());
    embedded.turn(2ms);
    ASSERT_EQ(hook.waits.size(), 1u);
    EXPECT_EQ(hook.waits[0], 2ms);
    hook.limit = 1ms;
    embedded.turn(-1ns);
    ASSERT_EQ(hook.waits.size(), 2u);
    EXPECT_LT(hook.waits[1], 0ns);
    hook.limit = 0ns;
    instant start = clock::now();
    embedded.turn(30s);
    EXPECT_LT(clock::now() - start, 10s);
    loop().set_block_hook(nullptr);
    embedded.turn(1ms);
    EXPECT_EQ(hook.waits.size(), 3u);
}

TEST_P(EventLoop, the_block_hook_of_a_running_loop_is_called) {
    recording_block_hook hook;
    loop().set_block_hook(&hook);
    loop().run_until([](event_loop& l) -> task<> {
        co_await l.sleep(0ms);
        co_await l.sleep(20ms);
    }(loop()));
    loop().set_block_hook(nullptr);
    ASSERT_FALSE(hook.waits.empty());
    EXPECT_GT(hook.waits[0], 0ns);
    EXPECT_LE(hook.waits[0], 21ms);
}

// Forking

std::vector<int> open_descriptors() {
    std::vector<int> open;
    for (int fd = 0; fd < 256; ++fd)
        if (fcntl(fd, F_GETFD) >= 0) open.push_back(fd);
    return open;
}

TEST_P(EventLoop, a_forked_child_can_abandon_the_loop) {
    loop_.reset();
    const std::vector<int> before = open_descriptors();
    loop_.emplace(loop_options{.backend = GetParam()});
    loop().run_until([](event_loop& l) -> task<> { co_await l.sleep(1ms); }(loop()));
    const std::vector<int> with_loop = open_descriptors();
    EXPECT_EQ(with_loop.size(), before.size() + 2);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        loop().abandon_after_fork();
        _exit(open_descriptors() == before && event_loop::current_or_null() == nullptr ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
    EXPECT_EQ(open_descriptors(), with_loop);
    std::jthread other([this] {
        std::this_thread::sleep_for(5ms);
        loop().post([this] { loop().stop(); });
    });
    loop().run_until([](event_loop& l) -> task<> { co_await l.sleep(2ms); }(loop()));
    loop().run();
}

struct recording_end_hook final : event_loop::end_hook {
    explicit recording_end_hook(std::vector<std::string>& events) : events_(events) {}
    void on_loop_end() noexcept override {
        // Work posted now still runs.
        event_loop::current().post([this] {
            events_.emplace_back("posted");
            delete this;
        });
        events_.emplace_back("ended");
    }
    std::vector<std::string>& events_;
};

TEST(LoopEndHook, hooks_are_called_while_the_loop_still_works) {
    std::vector<std::string> events;
    {
        event_loop loop;
        loop.add(*new recording_end_hook(events));
        recording_end_hook destroyed_before(events);
        loop.add(destroyed_before);
    }
    EXPECT_EQ(events, (std::vector<std::string>{"ended", "posted"}));
}

TEST(BackendSelection, automatic_selects_io_uring_where_available) {
    event_loop loop;
    EXPECT_EQ(loop.io().name(), io_uring_available() ? "io_uring" : "epoll");
}

}  // namespace
}  // namespace rondo
