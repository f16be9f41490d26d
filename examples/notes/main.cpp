// SPDX-License-Identifier: Apache-2.0
// Notes in a database, PostgreSQL or SQLite. docs/databases.md takes its samples from here.
//     notes migrate --migrations examples/notes/migrations
//     notes serve
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include <rondo/coro/when_all.hpp>
#include <rondo/db.hpp>
#include <rondo/web.hpp>

using rondo::request;
using rondo::response;
using rondo::task;

namespace {

// [sample describe]
struct note {
    std::int64_t id = 0;
    std::string text;
    std::optional<int> stars;
};
RONDO_DESCRIBE(note, id, text, stars);
// [end]

struct draft {
    std::string text;
    std::optional<int> stars;
};
RONDO_DESCRIBE(draft, text, stars);

rondo::app_database* database;

// [sample query]
task<response> show(request&, std::int64_t id) {
    const auto result = co_await (*database)->query("select id, text, stars from notes where id = $1", id);
    const std::optional<note> n = result.optional<note>();
    if (!n) throw rondo::http_error(rondo::http::status::not_found, "Note not found.");
    co_return rondo::json(*n);
}
// [end]

// [sample sync]
response count(request&) {  // a sync view: it blocks its thread
    const auto row = (*database)->query_sync("select count(*), max(id) from notes");
    const auto [total, last] = row.one<std::tuple<std::int64_t, std::optional<std::int64_t>>>();
    return rondo::text(std::to_string(total) + " notes, the last is " + std::to_string(last.value_or(0)) + "\n");
}
// [end]

// [sample transaction]
task<std::int64_t> insert_note(rondo::db::transaction& tx, draft d) {
    const auto row = co_await tx.query("update counters set value = value + 1 where name = 'notes' returning value");
    const auto id = row.scalar<std::int64_t>();
    (void)co_await tx.execute("insert into notes (id, text, stars) values ($1, $2, $3)", id, d.text,
                              d.stars.value_or(0));
    co_return id;
}

task<response> add(request& req) {
    draft d = co_await rondo::json_as<draft>(req);  // 422 with the reason when it does not match
    const std::int64_t id = co_await (*database)->transaction(insert_note, std::move(d));
    co_return rondo::json(note{id, "added", std::nullopt});
}
// [end]

// [sample stream]
rondo::async_generator<std::string> lines() {
    auto notes = (*database)->stream<note>("select id, text, stars from notes order by id");
    for (;;) {
        const note* n = co_await notes.next();
        if (!n) break;
        co_yield std::to_string(n->id) + "," + n->text + "\n";
    }
}

response all(request&) { return rondo::stream(lines()); }
// [end]

// [sample together]
task<std::int64_t> count_of(int stars) {
    const auto row = co_await (*database)->query("select count(*) from notes where stars = $1", stars);
    co_return row.scalar<std::int64_t>();
}

task<response> stats(request&) {  // three statements at once: as long as the slowest
    const auto [none, one_star, two] = co_await rondo::when_all(count_of(0), count_of(1), count_of(2));
    co_return rondo::text(std::to_string(none) + " " + std::to_string(one_star) + " " + std::to_string(two) + "\n");
}
// [end]

// [sample form]
task<response> add_form(request& req) {
    const rondo::form_data& form = co_await req.form();
    auto bound = rondo::bind_form<draft>(form);
    if (!bound.is_valid()) co_return rondo::text("'" + bound.errors[0].name + "' " + bound.errors[0].message + "\n");
    const std::int64_t id = co_await (*database)->transaction(insert_note, std::move(bound.value));
    co_return rondo::text("note " + std::to_string(id) + "\n");
}
// [end]

task<response> slow(request& req) {
    const double seconds = req.query_as<double>("seconds", 1.0);
    (void)co_await (*database)->query("select pg_sleep($1)", seconds);
    co_return rondo::text("slept\n");
}

}  // namespace

// [sample main]
int main(int argc, char** argv) {
    rondo::app app;
    rondo::app_database db(app);  // --db-url, --db-connections, --migrations; the command migrate
    database = &db;
    app.set_default("db-url", "sqlite:notes.db");
    app.get("/notes/<int:id>", show);
    // [end]
    app.get("/notes", all);
    app.post("/notes", add);
    app.post("/form", add_form);
    app.get("/count", count);
    app.get("/stats", stats);
    app.get("/slow", slow);
    return rondo::run(app, argc, argv);
}
