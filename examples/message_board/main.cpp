// SPDX-License-Identifier: Apache-2.0
// A message wall: every kind of view in one small application. Start reading here.
#include <chrono>
#include <cstdlib>
#include <string>

#include <rondo/base/log.hpp>
#include <rondo/channels.hpp>
#include <rondo/web.hpp>

#include "board.hpp"
#include "figures.hpp"
#include "kinds.hpp"
#include "mandelbrot.hpp"
#include "pages.hpp"

namespace {

using namespace std::chrono_literals;

const char* database() {
    const char* chosen = std::getenv("WALL_DB");
    return chosen != nullptr && *chosen != '\0' ? chosen : "wall.db";
}

}  // namespace

int main(int argc, char** argv) {
    rondo::app app;
    // Workers tell each other of messages, machines over Redis: --channels-url redis://HOST
    rondo::channels told([&app] { return app.settings().channels_url; }, {.patience = 1s});
    wall::board board(told);
    app.on_start([&board] {
        board.open(database());
        rondo::log::info(std::string("messages are kept in ") + database() + " (WALL_DB)");
    });
    app.beside("listening to the other walls", [&board] { return board.follow(); });
    app.use(rondo::request_id);
    app.use(wall::safe_fields);

    // response(request&): sync views. They block on SQLite, so each runs on a thread of the blocking pool.
    app.get("/", &board, &wall::board::page);
    app.get("/messages", &board, &wall::board::list);
    app.post("/messages", &board, &wall::board::post).body_limit(64 * 1024);

    // task<response>(request&): async views. They wait on the event loop; ten thousand may, without a thread.
    app.get("/events", &board, &wall::board::events);
    app.get("/poll", &board, &wall::board::poll);

    // cpu(view): on the compute threads, which never hold up the others.
    app.get("/mandelbrot.png", rondo::cpu(wall::mandelbrot));

    // The kinds side by side.
    app.get("/views", wall::views_page);
    app.get("/slow", wall::slow);
    app.get("/slow-sync", wall::slow_sync);
    app.get("/race", wall::race);
    app.get("/drip", wall::drip);

    // What the server counts while all that happens.
    app.get("/figures", wall::figures_page);
    app.get("/figures.json", wall::figures_now);
    app.get("/figures/events", wall::figures_events);

    app.get("/static/<path:name>", wall::static_file);
    return rondo::run(app, argc, argv);
}
