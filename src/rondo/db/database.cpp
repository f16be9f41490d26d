// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/database.hpp>

#include <algorithm>
#include <chrono>

#include <rondo/base/backoff.hpp>
#include <rondo/db/postgres/driver.hpp>

namespace rondo::db {

namespace {

database_location parse_and_check_url(std::string_view url) {
    database_location parsed = parse_url(url);
    if (parsed.kind == database_kind::postgres) postgres::check_url(parsed.text);
    return parsed;
}

constexpr backoff reconnect{std::chrono::milliseconds(50), std::chrono::seconds(5)};

task<std::uint64_t> run_copy_in(database_state& state, statement s, async_generator<std::string> pieces) {
    session_lease lease = co_await state.acquire(true);
    co_await state.run_on_loop(lease->start_copy(s, copy_direction::in));
    for (;;) {
        const std::string* piece = co_await pieces.next();
        if (!piece) break;
        co_await state.run_on_loop(lease->write_copy(*piece));
    }
    co_return co_await state.run_on_loop(lease->end_copy());
}

async_generator<std::string> run_copy_out(database_state& state, statement s) {
    session_lease lease = co_await state.acquire(false);
    co_await state.run_on_loop(lease->start_copy(s, copy_direction::out));
    for (;;) {
        std::optional<std::string> piece = co_await state.run_on_loop(lease->read_copy());
        if (!piece) break;
        co_yield std::move(*piece);
    }
}

std::string quote_identifier(std::string_view name) {
    std::string out = "\"";
    for (char c : name) {
        if (c == '"') out += c;
        out += c;
    }
    return out + '"';
}

task<session_lease> start_listening(database_state& state, const std::string& channel) {
    session_lease lease = co_await state.acquire_dedicated();
    const dynamic_sql sql("listen " + quote_identifier(channel));
    (void)co_await state.run_on_loop(lease->query(statement(sql), parameters()));
    co_return lease;
}

async_generator<notification> listen_with_reconnect(database_state& state, std::string channel) {
    session_lease lease = co_await start_listening(state, channel);
    int failures = 0;
    for (bool connected = true;;) {
        notification message;
        try {
            if (!connected) {
                lease = co_await start_listening(state, channel);
                message = {channel, {}, true};
            } else {
                message = co_await state.run_on_loop(lease->next_notification());
            }
            connected = true;
            failures = 0;
        } catch (const connection_lost&) {
            connected = false;
        }
        if (connected) {
            co_yield std::move(message);
        } else {
            lease.release();
            co_await sleep(reconnect.after(++failures));
        }
    }
}

}  // namespace

task<std::uint64_t> database::copy_in(statement s, async_generator<std::string> pieces) {
    return run_copy_in(state_, s, std::move(pieces));
}
async_generator<std::string> database::copy_out(statement s) { return run_copy_out(state_, s); }
async_generator<notification> database::listen(std::string channel) {
    return listen_with_reconnect(state_, std::move(channel));
}

database::database(std::string_view url, db::options options) : state_(parse_and_check_url(url), options) {}

task<void> database::open() {
    state_.attach_to_current_loop();
    co_await state_.open();
}

task<void> database::close() { return state_.close(); }

task<result> database::query_dynamic(dynamic_sql s, parameters p) {
    co_return co_await state_.query(statement(s), std::move(p));
}

task<void> database::execute_script(std::string sql) {
    session_lease lease = co_await state_.acquire(true);
    co_await state_.run_on_loop(lease->execute_script(sql));
}

void database::open_sync() { state_.run_and_wait("database::open_sync", state_.open_on_loop()); }

void database::execute_script_sync(const std::string& sql) {
    session_lease lease = state_.run_and_wait("database::execute_script_sync", state_.acquire_on_loop(true));
    state_.run_and_wait("database::execute_script_sync", lease->execute_script(sql));
}

}  // namespace rondo::db
