// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/sqlite/session.hpp>

#include <string>
#include <type_traits>
#include <utility>

#include <fmt/format.h>

#include <rondo/coro/mutex.hpp>

namespace rondo::db::sqlite {

namespace {

constexpr std::size_t rows_per_batch = 256;

[[noreturn]] void throw_unsupported(const char* feature) {
    throw error(fmt::format("SQLite does not support {}", feature));
}

// SQLite rolls back the whole transaction when a writing statement is interrupted or the disk is full.
void require_not_rolled_back(const file& f, bool in_transaction, std::string_view sql) {
    if (in_transaction && !f.in_transaction())
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
    mutex call_order;
    std::size_t pending_calls = 0;  // including those waiting for their turn
    bool streaming = false;
    bool scripting = false;
    bool closed = false;
    std::uint64_t stream_count = 0;
    parameters values;              // of the stream; bound without copying
    bool transaction_open = false;  // accessed only on the thread of the call whose turn it is
};
using session_state_ptr = std::shared_ptr<session_state>;

void require_not_exclusive(const session_state& s, std::string_view sql) {
    if (s.streaming)
        throw error("the connection is used by a stream: read all of its rows first", {}, std::string(sql));
    if (s.scripting) throw error("the connection is used by a script: await its end first", {}, std::string(sql));
}

class running_scope {
public:
    explicit running_scope(session_state& s) noexcept : state_(s) { ++state_.pending_calls; }
    ~running_scope() { --state_.pending_calls; }
    running_scope(const running_scope&) = delete;
    running_scope& operator=(const running_scope&) = delete;

private:
    session_state& state_;
};

// At the end of a stream call, the file knows whether the stream continues.
class streaming_scope {
public:
    explicit streaming_scope(session_state& s) noexcept : state_(s) { state_.streaming = true; }
    ~streaming_scope() { state_.streaming = state_.lease.get().is_streaming(); }
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
task<std::invoke_result_t<F&, file&>> run_in_order(session_state_ptr s, F f) {
    const running_scope counted(*s);
    const mutex::guard turn = co_await s->call_order.lock();
    if (s->closed) throw connection_lost("the connection was released");
    co_return co_await run_on_file_thread(s->lease, std::move(f));
}

class file_session final : public session {
public:
    explicit file_session(file_lease lease) : state_(std::make_shared<session_state>(std::move(lease))) {}
    ~file_session() override {
        state_->closed = true;
        if (state_->pending_calls > 0) state_->lease.get().interrupt();
    }

    task<result> query(statement q, parameters p) override {
        const session_state_ptr s = state_;
        require_not_exclusive(*s, q.text());
        ++s->lease.pool().queries;
        auto job = [&](file& f) {
            require_not_rolled_back(f, s->transaction_open, q.text());
            return f.run(q, p);
        };
        co_return co_await run_in_order(s, job);
    }
    task<void> begin(transaction_options) override {
        const session_state_ptr s = state_;
        const char* sql = s->lease.writes() ? "begin immediate" : "begin";
        require_not_exclusive(*s, sql);
        auto job = [&](file& f) {
            f.begin(sql);
            s->transaction_open = true;
        };
        co_await run_in_order(s, job);
    }
    task<void> commit() override {
        const session_state_ptr s = state_;
        require_not_exclusive(*s, "commit");
        auto job = [&](file& f) {
            require_not_rolled_back(f, s->transaction_open, "commit");
            f.commit();
            s->transaction_open = false;
        };
        co_await run_in_order(s, job);
    }
    task<void> rollback() override {
        const session_state_ptr s = state_;
        require_not_exclusive(*s, "rollback");
        auto job = [&](file& f) {
            f.rollback();
            s->transaction_open = false;
        };
        co_await run_in_order(s, job);
    }
    task<void> execute_script(std::string_view sql) override {
        const session_state_ptr s = state_;
        const std::string text(sql);
        require_not_exclusive(*s, text);
        if (s->pending_calls > 0)
            throw error("a script needs exclusive use of its connection: await the running statements first", {}, text);
        const scripting_scope scripting(*s);
        auto job = [&](file& f) {
            require_not_rolled_back(f, s->transaction_open, text);
            f.execute_script(text);
            if (!s->transaction_open) refuse_open_transaction(f, text);
        };
        co_await run_in_order(s, job);
    }
    task<std::uint64_t> start_stream(statement q, parameters p) override {
        const session_state_ptr s = state_;
        if (s->streaming || s->scripting || s->pending_calls > 0)
            throw error("a stream needs exclusive use of its connection: await the running statements first", {},
                        std::string(q.text()));
        s->values = std::move(p);
        const streaming_scope streaming(*s);
        ++s->lease.pool().queries;
        const std::uint64_t number = ++s->stream_count;
        auto job = [&](file& f) {
            require_not_rolled_back(f, s->transaction_open, q.text());
            f.start_stream(q, s->values);
        };
        co_await run_in_order(s, job);
        co_return number;
    }
    task<result> next_rows(std::uint64_t stream) override {
        const session_state_ptr s = state_;
        if (stream != s->stream_count || !s->streaming) co_return {};
        const streaming_scope streaming(*s);
        auto job = [](file& f) { return f.next_rows(rows_per_batch); };
        co_return co_await run_in_order(s, job);
    }
    task<void> start_copy(statement, copy_direction) override {
        throw_unsupported("COPY: insert within one transaction, which is as fast");
    }
    task<void> write_copy(std::string_view) override { throw_unsupported("COPY"); }
    task<std::uint64_t> end_copy() override { throw_unsupported("COPY"); }
    task<std::optional<std::string>> read_copy() override { throw_unsupported("COPY: use stream()"); }
    task<notification> next_notification() override { throw_unsupported("NOTIFY: use channels"); }

private:
    session_state_ptr state_;
};

}  // namespace

std::unique_ptr<session> make_session(file_lease lease) { return std::make_unique<file_session>(std::move(lease)); }

void refuse_open_transaction(file& f, std::string_view sql) {
    if (!f.in_transaction()) return;
    f.clean_up();
    throw error("the statement left a transaction open, which was rolled back: use transaction()", {},
                std::string(sql));
}

}  // namespace rondo::db::sqlite
