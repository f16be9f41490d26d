// SPDX-License-Identifier: Apache-2.0
// RONDO_BENCH_DB is the URL of the database. The table world(id, randomnumber) is recreated with 10,000 rows.
#include <cstdlib>
#include <string>

#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <rondo/coro/when_all.hpp>
#include <rondo/db/database.hpp>
#include <rondo/loop/loop.hpp>

namespace rondo::db {

struct world {
    int id = 0;
    int randomnumber = 0;
};
RONDO_DESCRIBE(world, id, randomnumber);

namespace {

std::string url() {
    const char* from_environment = std::getenv("RONDO_BENCH_DB");
    return from_environment ? from_environment : "sqlite::memory:";
}

task<void> make_world(database& db) {
    co_await db.open();
    co_await db.execute_script(
        "drop table if exists world; create table world (id integer primary key, randomnumber integer not null)");
    co_await db.transaction([](transaction& tx) -> task<void> {
        for (int i = 1; i <= 10000; ++i) (void)co_await tx.execute("insert into world values ($1, $2)", i, i % 97);
    });
}

task<void> read_rows(database& db, int from, int count) {
    for (int i = 0; i < count; ++i) {
        const result r = co_await db.query("select id, randomnumber from world where id = $1", 1 + (from + i) % 10000);
        benchmark::DoNotOptimize(r.one<world>());
    }
}

task<void> read_at_once(database& db, int readers, int per_reader) {
    std::vector<task<void>> all;
    for (int i = 0; i < readers; ++i) all.push_back(read_rows(db, i * 37, per_reader));
    co_await when_all(std::move(all));
}

double processor_seconds() {
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
    };
    return seconds(used.ru_utime) + seconds(used.ru_stime);
}

void one_row(benchmark::State& state) {
    event_loop loop;
    options limits;
    limits.max_connections = static_cast<std::size_t>(state.range(1));
    database db(url(), limits);
    loop.run_until(make_world(db));
    constexpr int per_reader = 50;
    const int readers = static_cast<int>(state.range(0));
    const double before = processor_seconds();
    for (auto _ : state) loop.run_until(read_at_once(db, readers, per_reader));
    const double rows = static_cast<double>(state.iterations()) * readers * per_reader;
    state.counters["rows/s"] = benchmark::Counter(rows, benchmark::Counter::kIsRate);
    state.counters["us_of_cpu/row"] = (processor_seconds() - before) * 1e6 / rows;
    loop.run_until(db.close());
}
BENCHMARK(one_row)
    ->UseRealTime()
    ->Args({1, 20})
    ->Args({20, 20})
    ->Args({200, 1})
    ->Args({200, 2})
    ->Args({200, 4})
    ->Args({200, 8})
    ->Args({200, 20})
    ->Args({2000, 20});

}  // namespace
}  // namespace rondo::db
