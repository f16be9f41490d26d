// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/database.hpp>

#include <algorithm>
#include <chrono>

#include <rondo/db/postgres/open.hpp>

namespace rondo::db {

namespace {

location checked(std::string_view url) {
    location where = parse_url(url);
    if (where.kind == kind::postgres) postgres::check_url(where.text);
    return where;
}

constexpr auto first_pause = std::chrono::milliseconds(50);
constexpr auto longest_pause = std::chrono::milliseconds(5000);

task<std::uint64_t> copy_into(home& at, statement s, async_generator<std::string> pieces) {
    session_lease lease = co_await at.lend(true);
    co_await at.from_here(lease->start_copy(s, copy_way::in));
    for (;;) {
        const std::string* piece = co_await pieces.next();
        if (!piece) break;
        co_await at.from_here(lease->write_copy(*piece));
    }
    co_return co_await at.from_here(lease->end_copy());
}

async_generator<std::string> copy_out_of(home& at, statement s) {
    session_lease lease = co_await at.lend(false);
    co_await at.from_here(lease->start_copy(s, copy_way::out));
    for (;;) {
        std::optional<std::string> piece = co_await at.from_here(lease->read_copy());
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

task<session_lease> listen_once(home& at, const std::string& channel) {
    session_lease lease = co_await at.extra();
    const dynamic_sql sql("listen " + quoted_name(channel));
    (void)co_await at.from_here(lease->query(statement(sql), parameters()));
    co_return lease;
}

async_generator<notification> listen_to(home& at, std::string channel) {
    session_lease lease = co_await listen_once(at, channel);
    clock::duration pause = first_pause;
    for (bool connected = true;;) {
        notification got;
        try {
            if (!connected) {
                lease = co_await listen_once(at, channel);
                got = {channel, {}, true};
            } else {
                got = co_await at.from_here(lease->next_notification());
            }
            connected = true;
            pause = first_pause;
        } catch (const connection_lost&) {
            connected = false;
        }
        if (connected) {
            co_yield std::move(got);
        } else {
            lease.give_back();
            co_await sleep(pause);
            pause = std::min<clock::duration>(pause * 2, longest_pause);
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
