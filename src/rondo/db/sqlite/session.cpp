// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/sqlite/session.hpp>

#include <string>
#include <type_traits>
#include <utility>

#include <fmt/format.h>

#include <rondo/coro/mutex.hpp>

namespace rondo::db::sqlite {

namespace {

constexpr std::size_t rows_at_once = 256;

[[noreturn]] void refuse(const char* feature) { throw error(fmt::format("SQLite does not support {}", feature)); }

// SQLite rolls back the whole transaction when a writing statement is interrupted or the disk is full.
void require_transaction(const file& f, bool begun, std::string_view sql) {
    if (begun && !f.in_transaction())
        throw error(
            "the transaction was rolled back because a statement in it failed or was cancelled: do not swallow that "
            "exception",
            {}, std::string(sql));
}

// Shared by a session and its calls: an abandoned call may outlive the session.
struct session_state {
    explicit session_state(file_lease l) noexcept : lease(std::move(l)) {}
    session_state(const session_state&) = delete;
    session_state& operator=(const session_state&) = delete;
    ~session_state() { clean_and_release(std::move(lease)); }

    file_lease lease;
    mutex turn;
    std::size_t running = 0;  // including those waiting for their turn
    bool streaming = false;
    bool scripting = false;
    bool ended = false;
    std::uint64_t streams = 0;
    parameters values;   // of the stream; bound without copying
    bool begun = false;  // accessed only on the thread of the call whose turn it is
};
using state_ptr = std::shared_ptr<session_state>;

void refuse_meanwhile(const session_state& s, std::string_view sql) {
    if (s.streaming)
        throw error("the connection is used by a stream: read all of its rows first", {}, std::string(sql));
    if (s.scripting) throw error("the connection is used by a script: await its end first", {}, std::string(sql));
}

class running_scope {
public:
    explicit running_scope(session_state& s) noexcept : state_(s) { ++state_.running; }
    ~running_scope() { --state_.running; }
    running_scope(const running_scope&) = delete;
    running_scope& operator=(const running_scope&) = delete;

private:
    session_state& state_;
};

// At the end of a stream call, the file knows whether the stream continues.
class streaming_scope {
public:
    explicit streaming_scope(session_state& s) noexcept : state_(s) { state_.streaming = true; }
    ~streaming_scope() { state_.streaming = state_.lease.get().streams(); }
    streaming_scope(const streaming_scope&) = delete;
    streaming_scope& operator=(const streaming_scope&) = delete;

private:
    session_state& state_;
};

class scripting_scope {
public:
    explicit scripting_scope(session_state& s) noexcept : state_(s) { state_.scripting = true; }
    ~scripting_scope() { state_.scripting = false; }
    scripting_scope(const scripting_scope&) = delete;
    scripting_scope& operator=(const scripting_scope&) = delete;

private:
    session_state& state_;
};

// Runs concurrent calls one after another.
template <class F>
task<std::invoke_result_t<F&, file&>> in_turn(state_ptr s, F f) {
    const running_scope counted(*s);
    const mutex::guard turn = co_await s->turn.lock();
    if (s->ended) throw connection_lost("the connection was released");
    co_return co_await on_thread(s->lease, std::move(f));
}

class file_session final : public session {
public:
    explicit file_session(file_lease lease) : state_(std::make_shared<session_state>(std::move(lease))) {}
    ~file_session() override {
        state_->ended = true;
        if (state_->running > 0) state_->lease.get().stop();
    }

    task<result> query(statement q, parameters p) override {
        const state_ptr s = state_;
        refuse_meanwhile(*s, q.text());
        ++s->lease.pool().queries;
        auto job = [&](file& f) {
            require_transaction(f, s->begun, q.text());
            return f.run(q, p);
        };
        co_return co_await in_turn(s, job);
    }
    task<void> begin(transaction_options) override {
        const state_ptr s = state_;
        const char* sql = s->lease.writes() ? "begin immediate" : "begin";
        refuse_meanwhile(*s, sql);
        auto job = [&](file& f) {
            f.begin(sql);
            s->begun = true;
        };
        co_await in_turn(s, job);
    }
    task<void> commit() override {
        const state_ptr s = state_;
        refuse_meanwhile(*s, "commit");
        auto job = [&](file& f) {
            require_transaction(f, s->begun, "commit");
            f.commit();
            s->begun = false;
        };
        co_await in_turn(s, job);
    }
    task<void> rollback() override {
        const state_ptr s = state_;
        refuse_meanwhile(*s, "rollback");
        auto job = [&](file& f) {
            f.rollback();
            s->begun = false;
        };
        co_await in_turn(s, job);
    }
    task<void> script(std::string_view sql) override {
        const state_ptr s = state_;
        const std::string text(sql);
        refuse_meanwhile(*s, text);
        if (s->running > 0)
            throw error("a script needs exclusive use of its connection: await the running statements first", {}, text);
        const scripting_scope scripting(*s);
        auto job = [&](file& f) {
            require_transaction(f, s->begun, text);
            f.script(text);
            if (!s->begun) refuse_left_open(f, text);
        };
        co_await in_turn(s, job);
    }
    task<std::uint64_t> start_rows(statement q, parameters p) override {
        const state_ptr s = state_;
        if (s->streaming || s->scripting || s->running > 0)
            throw error("a stream needs exclusive use of its connection: await the running statements first", {},
                        std::string(q.text()));
        s->values = std::move(p);
        const streaming_scope streaming(*s);
        ++s->lease.pool().queries;
        const std::uint64_t number = ++s->streams;
        auto job = [&](file& f) {
            require_transaction(f, s->begun, q.text());
            f.start(q, s->values);
        };
        co_await in_turn(s, job);
        co_return number;
    }
    task<result> next_rows(std::uint64_t stream) override {
        const state_ptr s = state_;
        if (stream != s->streams || !s->streaming) co_return {};
        const streaming_scope streaming(*s);
        auto job = [](file& f) { return f.next(rows_at_once); };
        co_return co_await in_turn(s, job);
    }
    task<void> start_copy(statement, copy_way) override {
        refuse("COPY: insert within one transaction, which is as fast");
    }
    task<void> write_copy(std::string_view) override { refuse("COPY"); }
    task<std::uint64_t> end_copy() override { refuse("COPY"); }
    task<std::optional<std::string>> read_copy() override { refuse("COPY: use stream()"); }
    task<notification> next_notification() override { refuse("NOTIFY: use channels"); }

private:
    state_ptr state_;
};

}  // namespace

std::unique_ptr<session> make_session(file_lease lease) { return std::make_unique<file_session>(std::move(lease)); }

void refuse_left_open(file& f, std::string_view sql) {
    if (!f.in_transaction()) return;
    f.clean_up();
    throw error("the statement left a transaction open, which was rolled back: use transaction()", {},
                std::string(sql));
}

}  // namespace rondo::db::sqlite
