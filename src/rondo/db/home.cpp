// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/home.hpp>

#include <atomic>
#include <mutex>
#include <semaphore>

#include <unistd.h>

#include <rondo/base/forks.hpp>
#include <rondo/db/postgres/open.hpp>
#include <rondo/db/session_lease.hpp>
#include <rondo/db/sqlite/open.hpp>
#include <rondo/loop/loop_thread.hpp>

namespace rondo::db {

struct home::state {
    state(location w, options l) : where(std::move(w)), limits(l) {}

    // The loop's end is that of the driver.
    struct ending final : event_loop::end_hook {
        explicit ending(state& s) noexcept : of(s) {}
        void loop_ends() noexcept override {
            of.driver.reset();
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
        made_after.store(forks(), std::memory_order_release);
    }
};

home::home(location where, options limits) : state_(std::make_unique<state>(std::move(where), limits)) {}

home::~home() {
    state& s = *state_;
    s.leave_parents();
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
    state_->driver.reset();
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
