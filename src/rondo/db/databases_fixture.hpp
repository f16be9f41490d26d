// SPDX-License-Identifier: Apache-2.0
// Fixtures for database tests: a test that runs against every database, an SQLite file, random cancellations.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include <rondo/db/database.hpp>
#include <rondo/db/error.hpp>
#include <rondo/db/postgres/server_fixture.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/loop/timeout.hpp>

namespace rondo::db {

/// A folder that is removed at the end of the test.
class temporary_folder {
public:
    temporary_folder() {
        std::string name = (std::filesystem::temp_directory_path() / "rondo-db-XXXXXX").string();
        if (!mkdtemp(name.data())) throw std::runtime_error("cannot create a temporary folder");
        path_ = name;
    }
    ~temporary_folder() { std::filesystem::remove_all(path_); }
    temporary_folder(const temporary_folder&) = delete;
    temporary_folder& operator=(const temporary_folder&) = delete;
    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

private:
    std::filesystem::path path_;
};

/// Number of open file descriptors of this process.
inline std::size_t open_fd_count() {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& e : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
    return count;
}

/// Returns the message of the error that the task throws; empty when it succeeds.
template <class T>
task<std::string> error_message_of(task<T> t) {
    std::string message;
    try {
        (void)co_await std::move(t);
    } catch (const error& e) {
        message = e.what();
    }
    co_return message;
}

inline task<int> count_things(database& db) {
    const result r = co_await db.query("select count(*) from things");
    co_return r.scalar<int>();
}

/// Waits until this number of statements is running.
inline task<void> wait_until_running(database& db, std::size_t count) {
    for (;;) {
        const database_stats s = co_await db.stats();
        if (s.running == count) break;
        co_await sleep(std::chrono::milliseconds(1));
    }
}

/// A write statement of SQLite that runs for minutes and writes nothing.
inline constexpr statement slow_write =
    "insert into things with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000000000) "
    "select 0 from n where i < 0";

/// Tests of SQLite alone, with a file that has the table `things`.
class SqliteFileFixture : public ::testing::Test {
protected:
    [[nodiscard]] std::string path() const { return (folder_.path() / "test.db").string(); }
    [[nodiscard]] std::string url() const { return "sqlite:" + path(); }

    /// Runs `body(database)` on the loop of the database.
    template <class Body>
    void with_file(Body body, db::options limits = {}) {
        event_loop loop;
        database db(url(), limits);
        loop.run_until(run(db, std::move(body)));
    }

private:
    template <class Body>
    static task<void> run(database& db, Body body) {
        co_await db.open();
        co_await db.execute_script("create table things (n integer)");
        co_await body(db);
        co_await db.close();
    }

    temporary_folder folder_;
};

/// Tests that run against every database: "postgres", "sqlite" (a file), "memory".
class EveryDatabase : public ::testing::TestWithParam<const char*> {
protected:
    [[nodiscard]] bool is_postgres() const { return std::string_view(GetParam()) == "postgres"; }
    [[nodiscard]] std::string url() const {
        if (is_postgres()) return postgres::test_server::shared().url();
        if (std::string_view(GetParam()) == "memory") return "sqlite::memory:";
        return "sqlite:" + (folder_.path() / "test.db").string();
    }

    /// Runs `body(database)` on the loop of the database.
    template <class Body>
    void with_database(Body body, db::options limits = {}) {
        event_loop loop;
        database db(url(), limits);
        loop.run_until(run(db, std::move(body)));
    }

private:
    template <class Body>
    static task<void> run(database& db, Body body) {
        co_await db.open();
        co_await db.execute_script("drop table if exists things; drop table if exists parents");
        co_await body(db);
        co_await db.close();
    }

    temporary_folder folder_;
};

/// A database operation chosen by `kind`; it may fail with "never committed".
using random_operation = task<void>(database& db, unsigned kind);

inline task<void> run_allowing_abort(database& db, unsigned kind, random_operation* operation) {
    try {
        co_await operation(db, kind);
    } catch (const std::runtime_error& e) {
        if (std::string(e.what()) != "never committed") ADD_FAILURE() << e.what();
    }
}

/// Runs 250 of these operations in turn, each cancelled after at most 4 ms.
inline task<void> cancel_at_random(database& db, unsigned seed, random_operation* operation) {
    std::minstd_rand random(seed);
    for (int i = 0; i < 250; ++i) {
        const auto after = std::chrono::microseconds(random() % 4000);
        try {
            co_await with_timeout(after, run_allowing_abort(db, static_cast<unsigned>(random()), operation));
        } catch (const timed_out&) {
        }
    }
}

}  // namespace rondo::db
