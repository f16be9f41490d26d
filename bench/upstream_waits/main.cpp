// SPDX-License-Identifier: Apache-2.0
// What is measured of waiting on others: views that wait for a database and for another service, as a user would write
// them. `waits seed` makes and fills the table.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <rondo/client/client.hpp>
#include <rondo/codec/describe.hpp>
#include <rondo/coro/when_all.hpp>
#include <rondo/db/database.hpp>
#include <rondo/web.hpp>

namespace {

constexpr unsigned rows_of_table = 10'000, most_queries = 500, longest_ms = 60'000;
constexpr unsigned long long most_streamed = 10'000'000;
constexpr std::size_t csv_piece = 16 * 1024;

struct world {
    int id = 0;
    int randomnumber = 0;
};
RONDO_DESCRIBE(world, id, randomnumber);

void write(std::string& out, const world& w) {
    out += "{\"id\":" + std::to_string(w.id) + ",\"randomnumber\":" + std::to_string(w.randomnumber) + '}';
}

rondo::response as_json(const world& w) {
    std::string out;
    write(out, w);
    return rondo::json_text(std::move(out));
}

int id_of(rondo::request& request) { return request.query_as<int>("id", 1); }

world found(const rondo::db::result& rows) {
    const auto row = rows.optional<world>();
    if (!row) throw rondo::http_error(404, "no such row");
    return *row;
}

// The views, with what they wait for: made when the settings are known, in the process that serves.
class views {
public:
    explicit views(rondo::app& app)
        : app_(app),
          upstream_(app.setting("upstream", "URL", "http://127.0.0.1:9000", "the service that /upstream asks")),
          connections_(app.setting("upstream-connections", "N", 1000, "connections to it, of each process")) {}

    rondo::task<void> open() {
        const rondo::app_settings& chosen = app_.settings();
        const std::string url = chosen.db_url.empty() ? "sqlite:waits.db" : chosen.db_url;
        db_ = std::make_unique<rondo::db::database>(url, rondo::db::options{.connections = chosen.db_connections});
        const auto most = static_cast<std::size_t>(std::max<std::int64_t>(*connections_, 1));
        client_ =
            std::make_unique<rondo::client>(rondo::client_options{.connections_per_origin = most, .connections = most});
        co_await db_->open();
    }

    rondo::task<void> close() {
        client_.reset();
        if (db_) co_await db_->close();
    }

    rondo::task<int> seed() {
        co_await db_->execute("drop table if exists world");
        co_await db_->execute("create table world (id integer primary key, randomnumber integer not null)");
        co_await db_->transaction([](rondo::db::transaction& tx) -> rondo::task<void> {
            std::uint32_t number = 1;
            for (unsigned id = 1; id <= rows_of_table; ++id) {
                number = number * 1664525 + 1013904223;
                co_await tx.execute("insert into world (id, randomnumber) values ($1, $2)", static_cast<int>(id),
                                    static_cast<int>(1 + (number >> 8) % rows_of_table));
            }
        });
        co_return 0;
    }

    rondo::task<rondo::response> row(rondo::request& request) { co_return as_json(co_await read(id_of(request))); }

    rondo::response row_sync(rondo::request& request) {
        return as_json(found(db_->query_sync(one_row, id_of(request))));
    }

    rondo::task<rondo::response> rows(rondo::request& request) {
        const unsigned count = std::clamp(request.query_as<unsigned>("n", 1), 1U, most_queries);
        std::vector<rondo::task<world>> reads;
        for (unsigned i = 0; i < count; ++i) reads.push_back(read(static_cast<int>(1 + i * 7919 % rows_of_table)));
        const std::vector<world> all = co_await rondo::when_all(std::move(reads));
        std::string out;
        for (const world& w : all) {
            out += out.empty() ? '[' : ',';
            write(out, w);
        }
        co_return rondo::json_text(out + ']');
    }

    rondo::task<rondo::response> sleep(rondo::request& request) {
        const unsigned ms = std::min(request.query_as<unsigned>("ms", 10), longest_ms);
        (void)co_await db_->query("select pg_sleep($1)", ms / 1000.0);
        co_return rondo::text("slept\n");
    }

    rondo::response sleep_sync(rondo::request& request) {
        const unsigned ms = std::min(request.query_as<unsigned>("ms", 10), longest_ms);
        (void)db_->query_sync("select pg_sleep($1)", ms / 1000.0);
        return rondo::text("slept\n");
    }

    rondo::response ask_upstream_sync(rondo::request& request) {
        return rondo::text(client_->get_sync(url_of(request)).body());
    }

    rondo::task<rondo::response> ask_upstream(rondo::request& request) {
        const std::string url = url_of(request);
        rondo::client_response answer = co_await client_->get(url);
        const std::string type(answer.field("Content-Type").value_or("application/octet-stream"));
        const int code = answer.code();
        co_return rondo::bytes(std::move(answer).body()).type(type).status(code);
    }

    rondo::task<rondo::response> row_then_upstream(rondo::request& request) {
        const std::string url = url_of(request);
        const world w = co_await read(id_of(request));
        const rondo::client_response answer = co_await client_->get(url);
        co_return rondo::text(std::to_string(w.randomnumber) + ' ' + answer.body());
    }

    rondo::task<rondo::response> fan(rondo::request& request) {
        const std::string url = url_of(request);
        const auto [a, b, c, first, second] =
            co_await rondo::when_all(read(1), read(2), read(3), client_->get(url), client_->get(url));
        co_return rondo::text(std::to_string(a.randomnumber + b.randomnumber + c.randomnumber) + ' ' + first.body() +
                              second.body());
    }

    rondo::response stream_rows(rondo::request& request) {
        const auto count = std::min(request.query_as<unsigned long long>("n", 1000), most_streamed);
        return rondo::stream(csv(static_cast<std::int64_t>(count)), "text/csv; charset=utf-8");
    }

private:
    static constexpr rondo::db::statement one_row = "select id, randomnumber from world where id = $1";

    rondo::task<world> read(int id) { co_return found(co_await db_->query(one_row, id)); }

    // The table as often as it takes.
    rondo::async_generator<std::string> csv(std::int64_t count) {
        std::string piece = "id,randomnumber\n";
        auto rows = db_->stream<world>(
            "with recursive n(i) as (select 0 union all select i + 1 from n where i + 1 < $1) "
            "select w.id, w.randomnumber from n join world w on w.id = 1 + n.i % 10000",
            std::max<std::int64_t>(count, 1));
        if (count > 0) {
            while (auto* const w = co_await rows.next()) {
                piece += std::to_string(w->id) + ',' + std::to_string(w->randomnumber) + '\n';
                if (piece.size() < csv_piece) continue;
                co_yield std::move(piece);
                piece.clear();
            }
        }
        if (!piece.empty()) co_yield std::move(piece);
    }

    std::string url_of(rondo::request& request) {
        const std::string_view path = request.query("path").value_or("/");
        if (!path.starts_with('/')) throw rondo::http_error(400, "path begins with a slash");
        return *upstream_ + std::string(path);
    }

    rondo::app& app_;
    rondo::setting<std::string> upstream_;
    rondo::setting<std::int64_t> connections_;
    std::unique_ptr<rondo::db::database> db_;
    std::unique_ptr<rondo::client> client_;
};

}  // namespace

int main(int argc, char** argv) {
    rondo::app app;
    views all(app);
    app.on_start([&all] { return all.open(); });
    app.on_stop([&all] { return all.close(); });
    app.command("seed", "makes the table `world` and fills it", [&all] { return all.seed(); });
    app.get("/db", &all, &views::row);
    app.get("/db-sync", &all, &views::row_sync);
    app.get("/queries", &all, &views::rows);
    app.get("/db-sleep", &all, &views::sleep);
    app.get("/db-sleep-sync", &all, &views::sleep_sync);
    app.get("/upstream-sync", &all, &views::ask_upstream_sync);
    app.get("/upstream", &all, &views::ask_upstream);
    app.get("/row-then-upstream", &all, &views::row_then_upstream);
    app.get("/fan", &all, &views::fan);
    app.get("/rows", &all, &views::stream_rows);
    return rondo::run(app, argc, argv);
}
