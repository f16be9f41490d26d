// SPDX-License-Identifier: Apache-2.0
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

/// A folder that goes with the test.
class temporary_folder {
public:
    temporary_folder() {
        std::string name = (std::filesystem::temp_directory_path() / "rondo-db-XXXXXX").string();
        if (!mkdtemp(name.data())) throw std::runtime_error("no temporary folder");
        path_ = name;
    }
    ~temporary_folder() { std::filesystem::remove_all(path_); }
    temporary_folder(const temporary_folder&) = delete;
    temporary_folder& operator=(const temporary_folder&) = delete;
    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

private:
    std::filesystem::path path_;
};

/// Descriptors of this process.
inline std::size_t open_descriptors() {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& e : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
    return count;
}

/// The sentence of the error that the task ends with; empty when it does not.
template <class T>
task<std::string> failure_of(task<T> t) {
    std::string sentence;
    try {
        (void)co_await std::move(t);
    } catch (const error& e) {
        sentence = e.what();
    }
    co_return sentence;
}

inline task<int> count_things(database& at) {
    const result r = co_await at.query("select count(*) from things");
    co_return r.scalar<int>();
}

/// Waits until so many statements run.
inline task<void> until_running(database& at, std::size_t wanted) {
    for (;;) {
        const status s = co_await at.now();
        if (s.running == wanted) break;
        co_await sleep(std::chrono::milliseconds(1));
    }
}

/// Minutes of work that writes nothing, for SQLite.
inline constexpr statement long_write =
    "insert into things with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000000000) "
    "select 0 from n where i < 0";

/// What holds for SQLite alone, with a file that has the table `things`.
class with_sqlite_file : public ::testing::Test {
protected:
    [[nodiscard]] std::string path() const { return (folder_.path() / "test.db").string(); }
    [[nodiscard]] std::string url() const { return "sqlite:" + path(); }

    /// Runs `body(database)` on a loop that is the database's home.
    template <class Body>
    void with_file(Body body, db::options limits = {}) {
        event_loop loop;
        database at(url(), limits);
        loop.run_until(run(at, std::move(body)));
    }

private:
    template <class Body>
    static task<void> run(database& at, Body body) {
        co_await at.open();
        co_await at.script("create table things (n integer)");
        co_await body(at);
        co_await at.close();
    }

    temporary_folder folder_;
};

/// What holds for every database, said once: "postgres", "sqlite" (a file), "memory".
class every_database : public ::testing::TestWithParam<const char*> {
protected:
    [[nodiscard]] bool postgres() const { return std::string_view(GetParam()) == "postgres"; }
    [[nodiscard]] std::string url() const {
        if (postgres()) return postgres::test_server::shared().url();
        if (std::string_view(GetParam()) == "memory") return "sqlite::memory:";
        return "sqlite:" + (folder_.path() / "test.db").string();
    }

    /// Runs `body(database)` on a loop that is the database's home.
    template <class Body>
    void with_database(Body body, db::options limits = {}) {
        event_loop loop;
        database at(url(), limits);
        loop.run_until(run(at, std::move(body)));
    }

private:
    template <class Body>
    static task<void> run(database& at, Body body) {
        co_await at.open();
        co_await at.script("drop table if exists things; drop table if exists parents");
        co_await body(at);
        co_await at.close();
    }

    temporary_folder folder_;
};

/// Something that a database is asked for, one of many; it may fail with "never committed".
using random_thing = task<void>(database& at, unsigned kind);

inline task<void> and_fail(database& at, unsigned kind, random_thing* thing) {
    try {
        co_await thing(at, kind);
    } catch (const std::runtime_error& e) {
        if (std::string(e.what()) != "never committed") ADD_FAILURE() << e.what();
    }
}

/// 250 such things in turn, each cancelled after at most 4 ms.
inline task<void> cancelled_at_random(database& at, unsigned seed, random_thing* thing) {
    std::minstd_rand random(seed);
    for (int i = 0; i < 250; ++i) {
        const auto after = std::chrono::microseconds(random() % 4000);
        try {
            co_await with_timeout(after, and_fail(at, static_cast<unsigned>(random()), thing));
        } catch (const timed_out&) {
        }
    }
}

}  // namespace rondo::db
