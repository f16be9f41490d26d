// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/database_state.hpp>

#include <array>
#include <atomic>
#include <mutex>
#include <optional>
#include <semaphore>
#include <span>

#include <rondo/base/fork_generation.hpp>
#include <rondo/db/postgres/open.hpp>
#include <rondo/db/session_lease.hpp>
#include <rondo/db/sqlite/open.hpp>
#include <rondo/loop/loop_thread.hpp>
#include <rondo/stats/cpu_timer.hpp>
#include <rondo/stats/stats_source.hpp>

namespace rondo::db {

constexpr figure_text figure_texts[] = {
    {"queries", "Statements."},
    {"waits", "Completed waits for a connection."},
    {"wait", "Time spent waiting for a connection.", true, true},
    {"connections", "Open connections.", false},
    {"busy", "Open connections that are not idle.", false},
    {"lent", "Open connections held by a transaction, a stream or a copy.", false},
    {"running", "Statements sent to the database.", false},
    {"waiting", "Statements and transactions waiting for a connection.", false},
    {"limit", "Maximum open connections.", false},
};

struct home::state {
    state(location w, options l) : where(std::move(w)), limits(l) {
        told.emplace(
            "database", figure_texts, [this] { return shown_url(where.text); },
            [this](std::span<std::uint64_t> values) { return tell(values); });
    }

    // Ends the driver with the loop.
    struct ending final : event_loop::end_hook {
        explicit ending(state& s) noexcept : of(s) {}
        void loop_ends() noexcept override {
            of.end_driver();
            of.loop.store(nullptr, std::memory_order_release);
        }
        state& of;
    };

    location where;
    options limits;
    std::mutex mutex;
    std::atomic<event_loop*> loop{nullptr};
    process_mark process;
    std::unique_ptr<db::driver> driver;
    std::unique_ptr<ending> end;
    std::unique_ptr<loop_thread> own;
    std::array<std::uint64_t, 3> counts_before{};                               ///< of earlier drivers
    std::array<std::atomic<std::uint64_t>, std::size(figure_texts)> figures{};  ///< as last published by the loop
    std::optional<observed> told;                                               ///< destroyed first

    void settle(event_loop& own_loop) {
        end = std::make_unique<ending>(*this);
        own_loop.add(*end);
        loop.store(&own_loop, std::memory_order_release);
    }
    // After a fork: the thread exists only in the parent, and its connections are shared with the parent.
    void leave_parents() noexcept {
        if (process.is_own()) return;
        loop.store(nullptr, std::memory_order_relaxed);
        [[maybe_unused]] auto* listed = end.release();
        [[maybe_unused]] auto* connections = driver.release();
        [[maybe_unused]] auto* thread = own.release();
        counts_before = {};
        process.renew();
    }
    // Loop thread. The counters continue.
    void end_driver() noexcept {
        keep_figures();
        for (std::size_t i = 0; i < counts_before.size(); ++i) counts_before[i] = figures[i];
        driver.reset();
        keep_figures();
    }

    // Loop thread.
    void keep_figures() noexcept {
        const status s = driver ? driver->now() : status();
        const auto waited = static_cast<std::uint64_t>(s.waited.count());
        const std::array<std::uint64_t, 3> counts{s.queries, s.waits, waited};
        for (std::size_t i = 0; i < counts.size(); ++i) set_to(figures[i], counts_before[i] + counts[i]);
        std::size_t next = counts.size();
        for (const std::size_t value :
             {s.connections, s.connections - s.idle, s.lent, s.running, s.waiting, driver ? limits.connections : 0})
            set_to(figures[next++], value);
    }
    // Any thread. A loop on a thread of its own publishes with a delay.
    [[nodiscard]] bool tell(std::span<std::uint64_t> values) {
        if (!process.is_own()) return false;
        event_loop* const current = loop.load(std::memory_order_acquire);
        if (current && current == event_loop::current_or_null()) {
            keep_figures();
        } else if (current) {
            const std::scoped_lock lock(mutex);
            if (own && &own->loop() == current) current->post([this] { keep_figures(); });
        }
        for (std::size_t i = 0; i < values.size(); ++i) values[i] = figures[i].load(std::memory_order_relaxed);
        return true;
    }
};

home::home(location where, options limits) : state_(std::make_unique<state>(std::move(where), limits)) {}

home::~home() {
    state& s = *state_;
    s.leave_parents();
    s.told.reset();
    s.own.reset();  // ends the driver
    event_loop* const own = s.loop.load(std::memory_order_acquire);
    if (own && own == event_loop::current_or_null()) {
        s.driver.reset();
    }
}

const location& home::where() const noexcept { return state_->where; }

void home::settle_here() {
    std::lock_guard lock(state_->mutex);
    state_->leave_parents();
    if (!state_->loop.load(std::memory_order_relaxed)) state_->settle(event_loop::current());
}

event_loop& home::loop() {
    state& s = *state_;
    if (s.process.is_own()) {
        if (event_loop* own = s.loop.load(std::memory_order_acquire)) return *own;
    }
    std::lock_guard lock(s.mutex);
    s.leave_parents();
    if (event_loop* own = s.loop.load(std::memory_order_acquire)) return *own;
    event_loop* current = event_loop::current_or_null();
    if (current && current->blocking()) {
        s.settle(*current);
        return *current;
    }
    s.own.reset();
    s.own = std::make_unique<loop_thread>(loop_thread_options{.name = "database"});
    event_loop& own = s.own->loop();
    std::binary_semaphore attached{0};
    own.post([&] {
        s.settle(own);
        attached.release();
    });
    attached.acquire();
    return own;
}

db::driver& home::driver() {
    state& s = *state_;
    if (!s.driver) {
        s.driver = s.where.kind == kind::postgres ? postgres::make_driver(s.where.text, s.limits)
                                                  : sqlite::make_driver(s.where.text, s.limits);
    }
    return *s.driver;
}

task<void> home::open_here() { co_await driver().open(); }
task<void> home::close_here() {
    state_->end_driver();
    co_return;
}
task<result> home::query_here(statement s, parameters p) { co_return co_await driver().query(s, std::move(p)); }
task<session_lease> home::lend_here(bool writes) {
    std::unique_ptr<session> acquired = co_await driver().lend(writes);
    co_return session_lease(*this, std::move(acquired));
}
task<session_lease> home::extra_here() {
    std::unique_ptr<session> acquired = co_await driver().extra();
    co_return session_lease(*this, std::move(acquired));
}
task<db::status> home::now_here() { co_return driver().now(); }

task<void> home::open() { return from_here(open_here()); }
task<void> home::close() { return from_here(close_here()); }
task<session_lease> home::lend(bool writes) { return from_here(lend_here(writes)); }
task<session_lease> home::extra() { return from_here(extra_here()); }
task<db::status> home::now() { return from_here(now_here()); }

task<result> home::query(statement s, parameters p) {
    event_loop& own = loop();
    if (&own == event_loop::current_or_null()) return driver().query(s, std::move(p));
    return from_elsewhere(own, query_here(s, std::move(p)));
}

session_lease& session_lease::operator=(session_lease&& other) noexcept {
    if (this != &other) {
        give_back();
        home_ = other.home_;
        session_ = std::move(other.session_);
    }
    return *this;
}

void session_lease::give_back() noexcept {
    if (!session_) return;
    event_loop& loop = home_->loop();
    if (&loop == event_loop::current_or_null()) session_.reset();
    else loop.post([s = std::move(session_)]() mutable { s.reset(); });
}

}  // namespace rondo::db
