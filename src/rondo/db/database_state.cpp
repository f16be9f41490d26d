// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/database_state.hpp>

#include <array>
#include <atomic>
#include <mutex>
#include <optional>
#include <semaphore>
#include <span>

#include <rondo/base/fork_generation.hpp>
#include <rondo/db/postgres/driver.hpp>
#include <rondo/db/session_lease.hpp>
#include <rondo/db/sqlite/driver.hpp>
#include <rondo/loop/loop_thread.hpp>
#include <rondo/stats/cpu_timer.hpp>
#include <rondo/stats/stats_source.hpp>

namespace rondo::db {

constexpr metric_descriptor metric_descriptors[] = {
    {"queries", "Statements."},
    {"waits", "Completed waits for a connection."},
    {"wait", "Time spent waiting for a connection.", true, true},
    {"connections", "Open connections.", false},
    {"busy", "Open connections that are not idle.", false},
    {"leased", "Open connections held by a transaction, a stream or a copy.", false},
    {"running", "Statements sent to the database.", false},
    {"waiting", "Statements and transactions waiting for a connection.", false},
    {"limit", "Maximum open connections.", false},
};

struct database_state::impl {
    impl(database_location w, options l) : location(std::move(w)), limits(l) {
        source.emplace(
            "database", metric_descriptors, [this] { return redacted_url(location.text); },
            [this](std::span<std::uint64_t> values) { return read_stats(values); });
    }

    // Ends the driver with the loop.
    struct driver_closer final : event_loop::end_hook {
        explicit driver_closer(impl& s) noexcept : owner(s) {}
        void on_loop_end() noexcept override {
            owner.close_driver();
            owner.loop.store(nullptr, std::memory_order_release);
        }
        impl& owner;
    };

    database_location location;
    options limits;
    std::mutex mutex;
    std::atomic<event_loop*> loop{nullptr};
    process_mark process;
    std::unique_ptr<db::driver> driver;
    std::unique_ptr<driver_closer> loop_hook;
    std::unique_ptr<loop_thread> own_thread;
    std::array<std::uint64_t, 3> previous_counts{};  ///< of earlier drivers
    std::array<std::atomic<std::uint64_t>, std::size(metric_descriptors)>
        published_stats{};               ///< as last published by the loop
    std::optional<stats_source> source;  ///< destroyed first

    void attach(event_loop& own_loop) {
        loop_hook = std::make_unique<driver_closer>(*this);
        own_loop.add(*loop_hook);
        loop.store(&own_loop, std::memory_order_release);
    }
    // After a fork: the thread exists only in the parent, and its connections are shared with the parent.
    void reset_after_fork() noexcept {
        if (process.is_own()) return;
        loop.store(nullptr, std::memory_order_relaxed);
        [[maybe_unused]] auto* listed = loop_hook.release();
        [[maybe_unused]] auto* connections = driver.release();
        [[maybe_unused]] auto* thread = own_thread.release();
        previous_counts = {};
        process.renew();
    }
    // Loop thread. The counters continue.
    void close_driver() noexcept {
        publish_stats();
        for (std::size_t i = 0; i < previous_counts.size(); ++i) previous_counts[i] = published_stats[i];
        driver.reset();
        publish_stats();
    }

    // Loop thread.
    void publish_stats() noexcept {
        const database_stats s = driver ? driver->stats() : database_stats();
        const auto waited = static_cast<std::uint64_t>(s.total_wait.count());
        const std::array<std::uint64_t, 3> counts{s.queries, s.waits, waited};
        for (std::size_t i = 0; i < counts.size(); ++i)
            store_relaxed(published_stats[i], previous_counts[i] + counts[i]);
        std::size_t next = counts.size();
        for (const std::size_t value : {s.connections, s.connections - s.idle, s.leased, s.running, s.waiting,
                                        driver ? limits.max_connections : 0})
            store_relaxed(published_stats[next++], value);
    }
    // Any thread. A loop on a thread of its own publishes with a delay.
    [[nodiscard]] bool read_stats(std::span<std::uint64_t> values) {
        if (!process.is_own()) return false;
        event_loop* const current = loop.load(std::memory_order_acquire);
        if (current && current == event_loop::current_or_null()) {
            publish_stats();
        } else if (current) {
            const std::scoped_lock lock(mutex);
            if (own_thread && &own_thread->loop() == current) current->post([this] { publish_stats(); });
        }
        for (std::size_t i = 0; i < values.size(); ++i) values[i] = published_stats[i].load(std::memory_order_relaxed);
        return true;
    }
};

database_state::database_state(database_location location, options limits)
    : impl_(std::make_unique<impl>(std::move(location), limits)) {}

database_state::~database_state() {
    impl& s = *impl_;
    s.reset_after_fork();
    s.source.reset();
    s.own_thread.reset();  // ends the driver
    event_loop* const own = s.loop.load(std::memory_order_acquire);
    if (own && own == event_loop::current_or_null()) {
        s.driver.reset();
    }
}

const database_location& database_state::location() const noexcept { return impl_->location; }

void database_state::attach_to_current_loop() {
    std::lock_guard lock(impl_->mutex);
    impl_->reset_after_fork();
    if (!impl_->loop.load(std::memory_order_relaxed)) impl_->attach(event_loop::current());
}

event_loop& database_state::loop() {
    impl& s = *impl_;
    if (s.process.is_own()) {
        if (event_loop* own = s.loop.load(std::memory_order_acquire)) return *own;
    }
    std::lock_guard lock(s.mutex);
    s.reset_after_fork();
    if (event_loop* own = s.loop.load(std::memory_order_acquire)) return *own;
    event_loop* current = event_loop::current_or_null();
    if (current && current->blocking()) {
        s.attach(*current);
        return *current;
    }
    s.own_thread.reset();
    s.own_thread = std::make_unique<loop_thread>(loop_thread_options{.name = "database"});
    event_loop& own = s.own_thread->loop();
    std::binary_semaphore attached{0};
    own.post([&] {
        s.attach(own);
        attached.release();
    });
    attached.acquire();
    return own;
}

db::driver& database_state::driver() {
    impl& s = *impl_;
    if (!s.driver) {
        s.driver = s.location.kind == database_kind::postgres ? postgres::make_driver(s.location.text, s.limits)
                                                              : sqlite::make_driver(s.location.text, s.limits);
    }
    return *s.driver;
}

task<void> database_state::open_on_loop() { co_await driver().open(); }
task<void> database_state::close_on_loop() {
    impl_->close_driver();
    co_return;
}
task<result> database_state::query_on_loop(statement s, parameters p) {
    co_return co_await driver().query(s, std::move(p));
}
task<session_lease> database_state::acquire_on_loop(bool writes) {
    std::unique_ptr<session> acquired = co_await driver().acquire(writes);
    co_return session_lease(*this, std::move(acquired));
}
task<session_lease> database_state::acquire_dedicated_on_loop() {
    std::unique_ptr<session> acquired = co_await driver().acquire_dedicated();
    co_return session_lease(*this, std::move(acquired));
}
task<db::database_stats> database_state::stats_on_loop() { co_return driver().stats(); }

task<void> database_state::open() { return run_on_loop(open_on_loop()); }
task<void> database_state::close() { return run_on_loop(close_on_loop()); }
task<session_lease> database_state::acquire(bool writes) { return run_on_loop(acquire_on_loop(writes)); }
task<session_lease> database_state::acquire_dedicated() { return run_on_loop(acquire_dedicated_on_loop()); }
task<db::database_stats> database_state::stats() { return run_on_loop(stats_on_loop()); }

task<result> database_state::query(statement s, parameters p) {
    event_loop& own = loop();
    if (&own == event_loop::current_or_null()) return driver().query(s, std::move(p));
    return run_on_other_loop(own, query_on_loop(s, std::move(p)));
}

session_lease& session_lease::operator=(session_lease&& other) noexcept {
    if (this != &other) {
        release();
        state_ = other.state_;
        session_ = std::move(other.session_);
    }
    return *this;
}

void session_lease::release() noexcept {
    if (!session_) return;
    event_loop& loop = state_->loop();
    if (&loop == event_loop::current_or_null()) session_.reset();
    else loop.post([s = std::move(session_)]() mutable { s.reset(); });
}

}  // namespace rondo::db
