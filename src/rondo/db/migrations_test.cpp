// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/migrations.hpp>

#include <fstream>
#include <thread>

#include <rondo/db/databases_fixture.hpp>

namespace rondo::db {
namespace {

class Migrations : public EveryDatabase {
protected:
    void SetUp() override {
        write("0001_make.sql", "create table things (n integer primary key);\ninsert into things values (1);\n");
        write("0002_add.sql", "alter table things add name text;");
        write("README", "not a migration");
    }
    void write(const std::string& name, const std::string& sql) const { std::ofstream(files_.path() / name) << sql; }
    [[nodiscard]] std::vector<migration> read_files() const { return read_migrations(files_.path().string()); }
    template <class Body>
    void with_fresh_database(Body body) {
        with_database([body](database& db) -> task<void> {
            co_await db.execute_script("drop table if exists rondo_migrations");
            co_await body(db);
        });
    }
    [[nodiscard]] std::string read_error() const {
        try {
            (void)read_files();
            return {};
        } catch (const std::invalid_argument& e) {
            return e.what();
        }
    }

    temporary_folder files_;
};
INSTANTIATE_TEST_SUITE_P(db, Migrations, ::testing::Values("postgres", "sqlite", "memory"),
                         [](const auto& which) { return std::string(which.param); });

task<std::string> migrate_error(database& db, std::vector<migration> files) {
    std::string message = "it succeeded";
    try {
        (void)co_await migrate(db, std::move(files));
    } catch (const error& e) {
        message = e.what();
    }
    co_return message;
}

std::string join(const std::vector<std::string>& names) {
    std::string all;
    for (const std::string& name : names) all += name + " ";
    return all;
}

TEST_P(Migrations, applies_each_once_in_order) {
    const auto first = read_files();
    write("0003_more.sql", "insert into things (n, name) values (2, 'two')");
    const auto second = read_files();
    with_fresh_database([&first, &second](database& db) -> task<void> {
        const auto before = co_await read_migration_status(db, first);
        EXPECT_EQ(before[0].state, migration_state::pending);
        const std::vector<std::string> both = co_await migrate(db, first);
        EXPECT_EQ(join(both), "0001_make.sql 0002_add.sql ");
        const std::vector<std::string> none = co_await migrate(db, first);
        EXPECT_TRUE(none.empty());
        const std::vector<std::string> more = co_await migrate(db, second);
        EXPECT_EQ(join(more), "0003_more.sql ");
        const auto after = co_await read_migration_status(db, second);
        EXPECT_EQ(after.size(), 3U);
        EXPECT_EQ(after[2].state, migration_state::applied);
        EXPECT_EQ(after[2].applied_at.size(), 19U);
        const result r = co_await db.query("select name from things where n = 2");
        EXPECT_EQ(r.scalar<std::string>(), "two");
    });
}

TEST_P(Migrations, rolls_back_a_failing_migration) {
    const auto good = read_files();
    write("0003_bad.sql", "insert into things values (7, 'seven'); insert into nothing_there values (1);");
    const auto bad = read_files();
    with_fresh_database([&bad](database& db) -> task<void> {
        const std::string message = co_await migrate_error(db, bad);
        EXPECT_NE(message.find("migration 0003_bad.sql failed and was rolled back"), std::string::npos) << message;
        EXPECT_NE(message.find("nothing_there"), std::string::npos) << message;
        const auto now = co_await read_migration_status(db, bad);
        EXPECT_EQ(now[1].state, migration_state::applied);
        EXPECT_EQ(now[2].state, migration_state::pending);
        const result r = co_await db.query("select count(*) from things");
        EXPECT_EQ(r.scalar<int>(), 1);
    });
}

TEST_P(Migrations, does_not_claim_to_roll_back_outside_a_transaction) {
    write("0003_bad.sql", "-- rondo: no transaction\ninsert into nothing_there values (1);");
    const auto bad = read_files();
    with_fresh_database([&bad](database& db) -> task<void> {
        const std::string message = co_await migrate_error(db, bad);
        EXPECT_NE(message.find("0003_bad.sql failed and its earlier statements may remain applied"), std::string::npos)
            << message;
        EXPECT_EQ(message.find("rolled back"), std::string::npos) << message;
        const auto now = co_await read_migration_status(db, bad);
        EXPECT_EQ(now[2].state, migration_state::pending);
    });
}

TEST_P(Migrations, refuses_changed_missing_and_out_of_order_files) {
    auto files = read_files();
    with_fresh_database([&files](database& db) -> task<void> {
        (void)co_await migrate(db, files);
        auto changed = files;
        changed[0].checksum = "other";
        const std::string first = co_await migrate_error(db, changed);
        EXPECT_NE(first.find("0001_make.sql was changed after"), std::string::npos) << first;
        auto missing = files;
        missing.pop_back();
        const std::string second = co_await migrate_error(db, missing);
        EXPECT_NE(second.find("0002_add.sql was applied"), std::string::npos) << second;
        auto late = files;
        late[1].number = 5;
        (void)co_await db.execute("update rondo_migrations set number = 5 where number = 2");
        migration out_of_order;
        out_of_order.number = 3;
        out_of_order.name = "0003_late.sql";
        late.push_back(out_of_order);
        const std::string third = co_await migrate_error(db, late);
        EXPECT_NE(third.find("give it the next number"), std::string::npos) << third;
    });
}

TEST_P(Migrations, concurrent_runs_apply_each_once) {
    if (std::string_view(GetParam()) == "memory") return;  // not visible to other connections
    write("0003_slow.sql", is_postgres()
                               ? "select pg_sleep(0.2); insert into things (n) values (3)"
                               : "insert into things (n) with recursive c(i) as (select 100 union all select i + 1 "
                                 "from c where i < 20000) select i from c");
    const auto files = read_files();
    with_fresh_database([](database&) -> task<void> { co_return; });
    std::size_t applied[3] = {};
    std::vector<std::thread> processes;
    for (std::size_t& count : applied) {
        processes.emplace_back([this, &files, &count] {
            event_loop loop;
            database db(url());
            const auto names = loop.run_until(migrate(db, files));
            count = names.size();
            loop.run_until(db.close());
        });
    }
    for (std::thread& m : processes) m.join();
    EXPECT_EQ(applied[0] + applied[1] + applied[2], 3U);
}

TEST_P(Migrations, checks_file_names) {
    write("first.sql", "select 1");
    EXPECT_NE(read_error().find("first.sql has no number"), std::string::npos);
    std::filesystem::remove(files_.path() / "first.sql");
    write("2_again.sql", "select 1");
    EXPECT_NE(read_error().find("0002_add.sql and 2_again.sql have the same number"), std::string::npos);
    EXPECT_THROW((void)read_migrations("/nowhere"), std::invalid_argument);
}

}  // namespace
}  // namespace rondo::db
