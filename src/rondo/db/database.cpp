// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/database.hpp>

#include <algorithm>
#include <chrono>

#include <rondo/base/backoff.hpp>
#include <rondo/db/postgres/open.hpp>

namespace rondo::db {

namespace {

location checked(std::string_view url) {
    location parsed = parse_url(url);
    if (parsed.kind == kind::postgres) postgres::check_url(parsed.text);
    return parsed;
}

constexpr backoff reconnect{std::chrono::milliseconds(50), std::chrono::seconds(5)};

task<std::uint64_t> copy_into(home& state, statement s, async_generator<std::string> pieces) {
    session_lease lease = co_await state.lend(true);
    co_await state.from_here(lease->start_copy(s, copy_way::in));
    for (;;) {
        const std::string* piece = co_await pieces.next();
        if (!piece) break;
        co_await state.from_here(lease->write_copy(*piece));
    }
    co_return co_await state.from_here(lease->end_copy());
}

async_generator<std::string> copy_out_of(home& state, statement s) {
    session_lease lease = co_await state.lend(false);
    co_await state.from_here(lease->start_copy(s, copy_way::out));
    for (;;) {
        std::optional<std::string> piece = co_await state.from_here(lease->read_copy());
        if (!piece) break;
        co_yield std::move(*piece);
    }
}

std::string quoted_name(std::string_view name) {
    std::string out = "\"";
    for (char c : name) {
        if (c == '"') out += c;
        out += c;
    }
    return out + '"';
}

task<session_lease> listen_once(home& state, const std::string& channel) {
    session_lease lease = co_await state.extra();
    const dynamic_sql sql("listen " + quoted_name(channel));
    (void)co_await state.from_here(lease->query(statement(sql), parameters()));
    co_return lease;
}

async_generator<notification> listen_to(home& state, std::string channel) {
    session_lease lease = co_await listen_once(state, channel);
    int failures = 0;
    for (bool connected = true;;) {
        notification message;
        try {
            if (!connected) {
                lease = co_await listen_once(state, channel);
                message = {channel, {}, true};
            } else {
                message = co_await state.from_here(lease->next_notification());
            }
            connected = true;
            failures = 0;
        } catch (const connection_lost&) {
            connected = false;
        }
        if (connected) {
            co_yield std::move(message);
        } else {
            lease.give_back();
            co_await sleep(reconnect.after(++failures));
        }
    }
}

}  // namespace

task<std::uint64_t> database::copy_in(statement s, async_generator<std::string> pieces) {
    return copy_into(home_, s, std::move(pieces));
}
async_generator<std::string> database::copy_out(statement s) { return copy_out_of(home_, s); }
async_generator<notification> database::listen(std::string channel) { return listen_to(home_, std::move(channel)); }

database::database(std::string_view url, db::options options) : home_(checked(url), options) {}

task<void> database::open() {
    home_.settle_here();
    co_await home_.open();
}

task<void> database::close() { return home_.close(); }

task<result> database::run_dynamic(dynamic_sql s, parameters p) {
    co_return co_await home_.query(statement(s), std::move(p));
}

task<void> database::script(std::string sql) {
    session_lease lease = co_await home_.lend(true);
    co_await home_.from_here(lease->script(sql));
}

void database::open_sync() { home_.wait("database::open_sync", home_.open_here()); }

void database::script_sync(const std::string& sql) {
    session_lease lease = home_.wait("database::script_sync", home_.lend_here(true));
    home_.wait("database::script_sync", lease->script(sql));
}

}  // namespace rondo::db
