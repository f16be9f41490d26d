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
    {"waits", "Waits for a connection that came to an end."},
    {"wait", "Waited for a connection, all waits together.", true, true},
    {"connections", "Open connections.", false},
    {"busy", "Of them those with work.", false},
    {"lent", "Of them those within a transaction, a stream or a copy.", false},
    {"running", "Statements that are with the database.", false},
    {"waiting", "Statements and transactions that wait for a connection.", false},
    {"limit", "Connections that may be open.", false},
};

struct home::state {
    state(location w, options l) : where(std::move(w)), limits(l) {
        told.emplace(
            "database", figure_texts, [this] { return shown_url(where.text); },
            [this](std::span<std::uint64_t> to) { return tell(to); });
    }

    // The loop's end is that of the driver.
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
    std::atomic<unsigned> made_after{forks()};
    std::unique_ptr<db::driver> driver;
    std::unique_ptr<ending> end;
    std::unique_ptr<loop_thread> own;
    std::array<std::uint64_t, 3> counts_before{};                               ///< of drivers that are gone
    std::array<std::atomic<std::uint64_t>, std::size(figure_texts)> figures{};  ///< as the home last told them
    std::optional<observed> told;                                               ///< before the rest ends

    void settle(event_loop& at) {
        end = std::make_unique<ending>(*this);
        at.add(*end);
        loop.store(&at, std::memory_order_release);
    }
    // After a fork: the thread is the parent's, and a word on its connections would be taken for the parent's.
    void leave_parents() noexcept {
        if (made_after.load(std::memory_order_acquire) == forks()) return;
        loop.store(nullptr, std::memory_order_relaxed);
        [[maybe_unused]] auto* listed = end.release();
        [[maybe_unused]] auto* connections = driver.release();
        [[maybe_unused]] auto* thread = own.release();
        counts_before = {};
        made_after.store(forks(), std::memory_order_release);
    }
    // At home. What it counted goes on.
    void end_driver() noexcept {
        keep_figures();
        for (std::size_t i = 0; i < counts_before.size(); ++i) counts_before[i] = figures[i];
        driver.reset();
        keep_figures();
    }

    // At home.
    void keep_figures() noexcept {
        const status s = driver ? driver->now() : status();
        const auto waited = static_cast<std::uint64_t>(s.waited.count());
        const std::array<std::uint64_t, 3> counts{s.queries, s.waits, waited};
        for (std::size_t i = 0; i < counts.size(); ++i) set_to(figures[i], counts_before[i] + counts[i]);
        std::size_t at = counts.size();
        for (const std::size_t now :
             {s.connections, s.connections - s.idle, s.lent, s.running, s.waiting, driver ? limits.connections : 0})
            set_to(figures[at++], now);
    }
    // On any thread. What lives on a thread of its own tells it when it comes to it.
    [[nodiscard]] bool tell(std::span<std::uint64_t> to) {
        if (made_after.load(std::memory_order_acquire) != forks()) return false;
        event_loop* const home = loop.load(std::memory_order_acquire);
        if (home && home == event_loop::current_or_null()) {
            keep_figures();
        } else if (home) {
            const std::scoped_lock held(mutex);
            if (own && &own->loop() == home) home->post([this] { keep_figures(); });
        }
        for (std::size_t i = 0; i < to.size(); ++i) to[i] = figures[i].load(std::memory_order_relaxed);
        return true;
    }
};

home::home(location where, options limits) : state_(std::make_unique<state>(std::move(where), limits)) {}

home::~home() {
    state& s = *state_;
    s.leave_parents();
    s.told.reset();
    s.own.reset();  // its end ends the driver
    if (event_loop* at = s.loop.load(std::memory_order_acquire); at && at == event_loop::current_or_null()) {
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
    if (s.made_after.load(std::memory_order_acquire) == forks()) {
        if (event_loop* at = s.loop.load(std::memory_order_acquire)) return *at;
    }
    std::lock_guard lock(s.mutex);
    s.leave_parents();
    if (event_loop* at = s.loop.load(std::memory_order_acquire)) return *at;
    event_loop* here = event_loop::current_or_null();
    if (here && here->blocking()) {
        s.settle(*here);
        return *here;
    }
    s.own.reset();
    s.own = std::make_unique<loop_thread>(loop_thread_options{.name = "database"});
    event_loop& at = s.own->loop();
    std::binary_semaphore settled{0};
    at.post([&] {
        s.settle(at);
        settled.release();
    });
    settled.acquire();
    return at;
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
    std::unique_ptr<session> lent = co_await driver().lend(writes);
    co_return session_lease(*this, std::move(lent));
}
task<session_lease> home::extra_here() {
    std::unique_ptr<session> lent = co_await driver().extra();
    co_return session_lease(*this, std::move(lent));
}
task<db::status> home::now_here() { co_return driver().now(); }

task<void> home::open() { return from_here(open_here()); }
task<void> home::close() { return from_here(close_here()); }
task<session_lease> home::lend(bool writes) { return from_here(lend_here(writes)); }
task<session_lease> home::extra() { return from_here(extra_here()); }
task<db::status> home::now() { return from_here(now_here()); }

task<result> home::query(statement s, parameters p) {
    event_loop& at = loop();
    if (&at == event_loop::current_or_null()) return driver().query(s, std::move(p));
    return from_elsewhere(at, query_here(s, std::move(p)));
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
    event_loop& at = home_->loop();
    if (&at == event_loop::current_or_null()) session_.reset();
    else at.post([s = std::move(session_)]() mutable { s.reset(); });
}

}  // namespace rondo::db
