// SPDX-License-Identifier: Apache-2.0
#include "view_kinds.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <thread>

#include <rondo/coro/async_generator.hpp>
#include <rondo/coro/queue.hpp>
#include <rondo/coro/task_group.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/loop/pool.hpp>
#include <rondo/web/stream.hpp>

#include "mandelbrot.hpp"
#include "pages.hpp"

namespace message_board {
namespace {

using std::chrono::milliseconds;

constexpr unsigned longest_ms = 10'000, longest_call_ms = 1000, most_calls = 200;

rondo::task<void> wait_on_loop(milliseconds time) { co_await rondo::sleep(time); }

void wait_on_thread(milliseconds time) { std::this_thread::sleep_for(time); }

milliseconds time_of(rondo::request& req) {
    return milliseconds(std::min(req.query_as<unsigned>("ms", 1000), longest_ms));
}

enum class kind { async, sync };

struct race_plan {
    kind how;
    unsigned calls;
    milliseconds each;
};

using finish_line = rondo::queue<unsigned>;

rondo::task<void> call(unsigned number, race_plan plan, finish_line& finish) {
    if (plan.how == kind::async) co_await wait_on_loop(plan.each);
    else co_await rondo::run_blocking([time = plan.each] { wait_on_thread(time); });
    co_await finish.push(number);
}

rondo::task<void> run_race(rondo::task_group& calls, race_plan plan, finish_line* finish, rondo::writer* out) {
    const rondo::instant began = rondo::clock::now();
    for (unsigned n = 0; n < plan.calls; ++n) calls.spawn(call(n, plan, *finish));
    for (unsigned n = 0; n < plan.calls; ++n) {
        const unsigned arrived = (co_await finish->pop()).value();
        const auto ms = std::chrono::duration_cast<milliseconds>(rondo::clock::now() - began).count();
        const std::string line = fmt::format("{{\"call\":{},\"ms\":{}}}\n", arrived, ms);
        co_await out->write(line);
    }
}

rondo::task<void> write_race(race_plan plan, rondo::writer& out) {
    finish_line finish(plan.calls);  // outlives the calls
    co_await rondo::with_group(run_race, plan, &finish, &out);
}

// A rondo: the theme A returns between the episodes.
constexpr std::string_view rondo_lines[] = {
    "A   A request comes in, and the loop takes it up.",       "B   The view must wait for something far away.",
    "A   So the loop goes on, and the next request comes in.", "C   A thread would stand still now, and cost a stack.",
    "A   The loop goes on. Another request comes in.",         "D   What was far away arrives; the view goes on.",
    "A   Its answer leaves, and the loop takes up the next.",
};

rondo::async_generator<std::string> lines() {
    for (const std::string_view line : rondo_lines) {
        co_yield fmt::format("{}\n", line);
        co_await rondo::sleep(milliseconds(300));
    }
    co_yield "    (da capo)\n";
}

rondo::response show_views(const place& at) {
    return page("views", "Kinds of views",
                {{"image", image_link(at)}, {"steps", zoom_links(at)}, {"out", out_link(at)}, {"where", describe(at)}});
}

}  // namespace

rondo::task<rondo::response> slow(rondo::request& req) {
    const milliseconds time = time_of(req);
    co_await wait_on_loop(time);
    co_return rondo::text(fmt::format("Waited {} ms on the event loop.\n", time.count()));
}

rondo::response slow_sync(rondo::request& req) {
    const milliseconds time = time_of(req);
    wait_on_thread(time);
    return rondo::text(fmt::format("Waited {} ms on a thread.\n", time.count()));
}

rondo::task<rondo::response> race(rondo::request& req) {
    const std::string_view how = req.query("kind").value_or("async");
    if (how != "async" && how != "sync") throw rondo::http_error(400, "kind is async or sync");
    const race_plan plan{how == "sync" ? kind::sync : kind::async,
                         std::clamp(req.query_as<unsigned>("calls", 100), 1u, most_calls),
                         milliseconds(std::min(req.query_as<unsigned>("ms", 250), longest_call_ms))};
    co_return rondo::stream([plan](rondo::writer& out) { return write_race(plan, out); }, "application/x-ndjson");
}

rondo::task<rondo::response> drip(rondo::request&) { co_return rondo::stream(lines()); }

rondo::task<rondo::response> views_page(rondo::request& req) { co_return show_views(place_of(req)); }

}  // namespace message_board
