// SPDX-License-Identifier: Apache-2.0
// Chat rooms on any number of workers and machines, with a cache, mail sent after the response, and a periodic task
// that one process runs for all. docs/channels.md, docs/cache.md and docs/background.md take their samples from here.
#include <chrono>
#include <string>

#include <unistd.h>

#include <rondo/base/log.hpp>
#include <rondo/channels.hpp>
#include <rondo/web.hpp>

using namespace std::chrono_literals;

namespace {

// [sample subscribe]
rondo::async_generator<rondo::sse_event> room_events(rondo::channels& channels, std::string room) {
    auto messages = channels.subscribe("room:" + room);
    while (rondo::channel_message* m = co_await messages.next()) {
        rondo::sse_event event{std::string(m->bytes())};
        co_yield std::move(event);
    }
}
// [end]

// [sample groups]
rondo::task<std::string> first_of_two(rondo::channels& channels, std::string one, std::string other) {
    rondo::subscription rooms = channels.open({.max_messages = 100, .when_full = rondo::overflow::close});
    co_await rooms.subscribe("room:" + one);
    co_await rooms.subscribe("room:" + other);
    rondo::channel_message m = co_await rooms.next();
    rooms.unsubscribe("room:" + one);
    co_return std::string(m.channel()) + ": " + std::string(m.bytes());
}
// [end]

rondo::task<rondo::response> first(rondo::channels& channels, std::string one, std::string other) {
    std::string text = co_await first_of_two(channels, std::move(one), std::move(other));
    co_return rondo::text(std::move(text));
}

// [sample compute]
rondo::task<std::string> make_report() {
    co_await rondo::sleep(200ms);  // expensive work
    co_return "computed by process " + std::to_string(getpid()) + "\n";
}

rondo::task<rondo::response> report(rondo::cache& cache) {
    std::string text = co_await cache.get_or_compute("report", 10s, make_report);
    co_return rondo::text(std::move(text));
}
// [end]

rondo::task<void> send_mail(std::string to, std::chrono::milliseconds time) {
    co_await rondo::sleep(time);
    rondo::log::info("mail sent to " + to);
}

}  // namespace

int main(int argc, char** argv) {
    rondo::app app;
    // [sample settings]
    // --channels-url and --cache-url; the connections are opened on first use.
    rondo::channels channels([&app] { return app.settings().channels_url; });
    rondo::cache cache([&app] { return app.settings().cache_url; });
    // [end]
    auto mail_time = app.setting("mail-time", "TIME", 100ms, "time to send one mail");

    app.get("/rooms/<slug:room>", [&](rondo::request&, std::string room) -> rondo::response {
        return rondo::sse(room_events(channels, std::move(room)));
    });
    // [sample publish]
    app.post("/rooms/<slug:room>", [&](rondo::request& req, std::string_view room) -> rondo::response {
        channels.publish_sync("room:" + std::string(room),
                              req.read_all_sync());  // in async views: co_await channels.publish()
        return rondo::text("published\n");
    });
    // [end]
    app.get("/first/<slug:one>/<slug:other>", [&](rondo::request&, std::string one, std::string other) {
        return first(channels, std::move(one), std::move(other));
    });
    app.get("/report", [&](rondo::request&) { return report(cache); });
    // [sample background]
    app.post("/mail/<slug:to>", [&](rondo::request&, std::string to) -> rondo::response {
        app.background("mail").spawn(send_mail(std::move(to), *mail_time));  // the response does not wait for the mail
        return rondo::text("queued\n").status(202);
    });
    // [end]
    // [sample every]
    app.every(1s, "clean-up", [] { rondo::log::info("cleaning up in process " + std::to_string(getpid())); });
    // [end]
    return rondo::run(app, argc, argv);
}
