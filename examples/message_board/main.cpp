// SPDX-License-Identifier: Apache-2.0
// A message board: every kind of view in one small application. Start reading here.
#include <chrono>
#include <cstdlib>
#include <string>

#include <rondo/base/log.hpp>
#include <rondo/channels.hpp>
#include <rondo/web.hpp>

#include "board.hpp"
#include "stats.hpp"
#include "view_kinds.hpp"
#include "mandelbrot.hpp"
#include "pages.hpp"

namespace {

using namespace std::chrono_literals;

const char* database() {
    const char* chosen = std::getenv("MESSAGE_BOARD_DB");
    return chosen != nullptr && *chosen != '\0' ? chosen : "message_board.db";
}

}  // namespace

int main(int argc, char** argv) {
    rondo::app app;
    // Workers tell each other of messages, machines over Redis: --channels-url redis://HOST
    rondo::channels told([&app] { return app.settings().channels_url; }, {.patience = 1s});
    message_board::board board(told);
    app.on_start([&board] {
        board.open(database());
        rondo::log::info(std::string("messages are kept in ") + database() + " (MESSAGE_BOARD_DB)");
    });
    app.beside("listening to the other boards", [&board] { return board.follow(); });
    app.use(rondo::request_id);
    app.use(message_board::safe_fields);

    // response(request&): sync views. They block on SQLite, so each runs on a thread of the blocking pool.
    app.get("/", &board, &message_board::board::page);
    app.get("/messages", &board, &message_board::board::list);
    app.post("/messages", &board, &message_board::board::post).body_limit(64 * 1024);

    // task<response>(request&): async views. They wait on the event loop; ten thousand may, without a thread.
    app.get("/events", &board, &message_board::board::events);
    app.get("/poll", &board, &message_board::board::poll);

    // cpu(view): on the compute threads, which never hold up the others.
    app.get("/mandelbrot.png", rondo::cpu(message_board::mandelbrot));

    // The kinds side by side.
    app.get("/views", message_board::views_page);
    app.get("/slow", message_board::slow);
    app.get("/slow-sync", message_board::slow_sync);
    app.get("/race", message_board::race);
    app.get("/drip", message_board::drip);

    // What the server counts while all that happens.
    app.get("/stats", message_board::stats_page);
    app.get("/stats.json", message_board::stats_now);
    app.get("/stats/events", message_board::stats_events);

    app.get("/static/<path:name>", message_board::static_file);
    return rondo::run(app, argc, argv);
}
