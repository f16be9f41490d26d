// SPDX-License-Identifier: Apache-2.0
// A message board: every kind of view in one small application. Start reading here.
#include <chrono>
#include <cstdlib>
#include <string>

#include <rondo/base/log.hpp>
#include <rondo/channels.hpp>
#include <rondo/web.hpp>

#include "board.hpp"
#include "mandelbrot.hpp"
#include "pages.hpp"
#include "stats.hpp"
#include "view_kinds.hpp"

namespace {

using namespace std::chrono_literals;

const char* database_path() {
    const char* path = std::getenv("MESSAGE_BOARD_DB");
    return path != nullptr && *path != '\0' ? path : "message_board.db";
}

}  // namespace

int main(int argc, char** argv) {
    rondo::app app;
    // Carries messages between workers, and between machines with --channels-url redis://HOST
    rondo::channels channels([&app] { return app.settings().channels_url; }, {.timeout = 1s});
    message_board::board board(channels);
    app.on_start([&board] {
        board.open(database_path());
        rondo::log::info(std::string("messages are stored in ") + database_path() + " (set by MESSAGE_BOARD_DB)");
    });
    app.run_in_worker("receive messages", [&board] { return board.receive(); });
    app.use(rondo::request_id);
    app.use(message_board::security_fields);

    // response(request&): sync views. They block on SQLite, so they run on threads of the blocking pool.
    app.get("/", &board, &message_board::board::page);
    app.get("/messages", &board, &message_board::board::list);
    app.post("/messages", &board, &message_board::board::post).body_limit(64 * 1024);

    // task<response>(request&): async views. They wait on the event loop; ten thousand of them need no thread.
    app.get("/events", &board, &message_board::board::events);
    app.get("/poll", &board, &message_board::board::poll);

    // cpu(view): runs on the compute threads, which never delay the other views.
    app.get("/mandelbrot.png", rondo::cpu(message_board::mandelbrot));

    // The kinds of views side by side.
    app.get("/views", message_board::views_page);
    app.get("/slow", message_board::slow);
    app.get("/slow-sync", message_board::slow_sync);
    app.get("/race", message_board::race);
    app.get("/drip", message_board::drip);

    // The server's stats.
    app.get("/stats", message_board::stats_page);
    app.get("/stats.json", message_board::stats_json);
    app.get("/stats/events", message_board::stats_events);

    app.get("/static/<path:name>", message_board::static_file);
    return rondo::run(app, argc, argv);
}
