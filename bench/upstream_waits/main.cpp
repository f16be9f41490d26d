// SPDX-License-Identifier: Apache-2.0
// The measured application that waits for others: views that call a database and another service, as a user would write
// them. `upstream_waits seed` creates and fills the table.
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

constexpr unsigned table_rows = 10'000, max_queries = 500, max_ms = 60'000;
constexpr unsigned long long max_streamed_rows = 10'000'000;
constexpr std::size_t csv_chunk_size = 16 * 1024;

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

world one_or_404(const rondo::db::result& rows) {
    const auto row = rows.optional<world>();
    if (!row) throw rondo::http_error(404, "no such row");
    return *row;
}

// The views, with the database and the client, which open() creates in the serving process from its settings.
class views {
public:
    explicit views(rondo::app& app)
        : app_(app),
          upstream_(app.setting("upstream", "URL", "http://127.0.0.1:9000", "URL of the service that /upstream calls")),
          connections_(app.setting("upstream-connections", "N", 1000, "connections to the upstream per process")) {}

    rondo::task<void> open() {
        const rondo::app_settings& settings = app_.settings();
        const std::string url = settings.db_url.empty() ? "sqlite:upstream_waits.db" : settings.db_url;
        db_ =
            std::make_unique<rondo::db::database>(url, rondo::db::options{.max_connections = settings.db_connections});
        const auto limit = static_cast<std::size_t>(std::max<std::int64_t>(*connections_, 1));
        client_ = std::make_unique<rondo::client>(
            rondo::client_options{.max_connections_per_origin = limit, .max_connections = limit});
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
            for (unsigned id = 1; id <= table_rows; ++id) {
                number = number * 1664525 + 1013904223;
                co_await tx.execute("insert into world (id, randomnumber) values ($1, $2)", static_cast<int>(id),
                                    static_cast<int>(1 + (number >> 8) % table_rows));
            }
        });
        co_return 0;
    }

    rondo::task<rondo::response> row(rondo::request& request) { co_return as_json(co_await read(id_of(request))); }

    rondo::response row_sync(rondo::request& request) {
        return as_json(one_or_404(db_->query_sync(one_row, id_of(request))));
    }

    rondo::task<rondo::response> rows(rondo::request& request) {
        const unsigned count = std::clamp(request.query_as<unsigned>("n", 1), 1U, max_queries);
        std::vector<rondo::task<world>> reads;
        for (unsigned i = 0; i < count; ++i) reads.push_back(read(static_cast<int>(1 + i * 7919 % table_rows)));
        const std::vector<world> result = co_await rondo::when_all(std::move(reads));
        std::string out;
        for (const world& w : result) {
            out += out.empty() ? '[' : ',';
            write(out, w);
        }
        co_return rondo::json_text(out + ']');
    }

    rondo::task<rondo::response> sleep(rondo::request& request) {
        const unsigned ms = std::min(request.query_as<unsigned>("ms", 10), max_ms);
        (void)co_await db_->query("select pg_sleep($1)", ms / 1000.0);
        co_return rondo::text("slept\n");
    }

    rondo::response sleep_sync(rondo::request& request) {
        const unsigned ms = std::min(request.query_as<unsigned>("ms", 10), max_ms);
        (void)db_->query_sync("select pg_sleep($1)", ms / 1000.0);
        return rondo::text("slept\n");
    }

    rondo::response call_upstream_sync(rondo::request& request) {
        return rondo::text(client_->get_sync(url_of(request)).body());
    }

    rondo::task<rondo::response> call_upstream(rondo::request& request) {
        const std::string url = url_of(request);
        rondo::client_response upstream_response = co_await client_->get(url);
        const std::string type(upstream_response.field("Content-Type").value_or("application/octet-stream"));
        const int code = upstream_response.code();
        co_return rondo::bytes(std::move(upstream_response).body()).type(type).status(code);
    }

    rondo::task<rondo::response> row_then_upstream(rondo::request& request) {
        const std::string url = url_of(request);
        const world w = co_await read(id_of(request));
        const rondo::client_response upstream_response = co_await client_->get(url);
        co_return rondo::text(std::to_string(w.randomnumber) + ' ' + upstream_response.body());
    }

    rondo::task<rondo::response> fan_out(rondo::request& request) {
        const std::string url = url_of(request);
        const auto [a, b, c, first, second] =
            co_await rondo::when_all(read(1), read(2), read(3), client_->get(url), client_->get(url));
        co_return rondo::text(std::to_string(a.randomnumber + b.randomnumber + c.randomnumber) + ' ' + first.body() +
                              second.body());
    }

    rondo::response stream_rows(rondo::request& request) {
        const auto count = std::min(request.query_as<unsigned long long>("n", 1000), max_streamed_rows);
        return rondo::stream(csv(static_cast<std::int64_t>(count)), "text/csv; charset=utf-8");
    }

private:
    static constexpr rondo::db::statement one_row = "select id, randomnumber from world where id = $1";

    rondo::task<world> read(int id) { co_return one_or_404(co_await db_->query(one_row, id)); }

    // Repeats the table until there are `count` rows.
    rondo::async_generator<std::string> csv(std::int64_t count) {
        std::string chunk = "id,randomnumber\n";
        auto rows = db_->stream<world>(
            "with recursive n(i) as (select 0 union all select i + 1 from n where i + 1 < $1) "
            "select w.id, w.randomnumber from n join world w on w.id = 1 + n.i % 10000",
            std::max<std::int64_t>(count, 1));
        if (count > 0) {
            while (auto* const w = co_await rows.next()) {
                chunk += std::to_string(w->id) + ',' + std::to_string(w->randomnumber) + '\n';
                if (chunk.size() < csv_chunk_size) continue;
                co_yield std::move(chunk);
                chunk.clear();
            }
        }
        if (!chunk.empty()) co_yield std::move(chunk);
    }

    std::string url_of(rondo::request& request) {
        const std::string_view path = request.query("path").value_or("/");
        if (!path.starts_with('/')) throw rondo::http_error(400, "path must begin with a slash");
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
    views service(app);
    app.on_start([&service] { return service.open(); });
    app.on_stop([&service] { return service.close(); });
    app.command("seed", "create and fill the table `world`", [&service] { return service.seed(); });
    app.get("/db", &service, &views::row);
    app.get("/db-sync", &service, &views::row_sync);
    app.get("/queries", &service, &views::rows);
    app.get("/db-sleep", &service, &views::sleep);
    app.get("/db-sleep-sync", &service, &views::sleep_sync);
    app.get("/upstream-sync", &service, &views::call_upstream_sync);
    app.get("/upstream", &service, &views::call_upstream);
    app.get("/row-then-upstream", &service, &views::row_then_upstream);
    app.get("/fan", &service, &views::fan_out);
    app.get("/rows", &service, &views::stream_rows);
    return rondo::run(app, argc, argv);
}
