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
#include <rondo/loop/thread_pool.hpp>
#include <rondo/web/stream.hpp>

#include "mandelbrot.hpp"
#include "pages.hpp"

namespace message_board {
namespace {

using std::chrono::milliseconds;

constexpr unsigned max_ms = 10'000, max_call_ms = 1000, max_calls = 200;

rondo::task<void> wait_on_loop(milliseconds duration) { co_await rondo::sleep(duration); }

void wait_on_thread(milliseconds duration) { std::this_thread::sleep_for(duration); }

milliseconds duration_of(rondo::request& req) {
    return milliseconds(std::min(req.query_as<unsigned>("ms", 1000), max_ms));
}

enum class view_kind { async, sync };

struct race_options {
    view_kind kind;
    unsigned calls;
    milliseconds duration;
};

using completion_queue = rondo::queue<unsigned>;

rondo::task<void> call(unsigned number, race_options options, completion_queue& completed) {
    if (options.kind == view_kind::async) co_await wait_on_loop(options.duration);
    else co_await rondo::run_blocking([duration = options.duration] { wait_on_thread(duration); });
    co_await completed.push(number);
}

rondo::task<void> run_race(rondo::task_group& calls, race_options options, completion_queue* completed,
                           rondo::writer* out) {
    const rondo::instant start = rondo::clock::now();
    for (unsigned n = 0; n < options.calls; ++n) calls.spawn(call(n, options, *completed));
    for (unsigned n = 0; n < options.calls; ++n) {
        const unsigned call_number = (co_await completed->pop()).value();
        const auto ms = std::chrono::duration_cast<milliseconds>(rondo::clock::now() - start).count();
        const std::string line = fmt::format("{{\"call\":{},\"ms\":{}}}\n", call_number, ms);
        co_await out->write(line);
    }
}

rondo::task<void> write_race(race_options options, rondo::writer& out) {
    completion_queue completed(options.calls);  // outlives the calls
    co_await rondo::with_group(run_race, options, &completed, &out);
}

// A rondo: the theme A returns between the episodes.
constexpr std::string_view rondo_lines[] = {
    "A   A request comes in, and the loop picks it up.",
    "B   The view must wait for something far away.",
    "A   So the loop goes on, and the next request comes in.",
    "C   A thread would block here, and cost a stack.",
    "A   The loop goes on. Another request comes in.",
    "D   The reply arrives, and the view resumes.",
    "A   The response goes out, and the loop picks up the next.",
};

rondo::async_generator<std::string> lines() {
    for (const std::string_view line : rondo_lines) {
        co_yield fmt::format("{}\n", line);
        co_await rondo::sleep(milliseconds(300));
    }
    co_yield "    (da capo)\n";
}

rondo::response render_views(const plane_region& region) {
    return page("views", "Kinds of views",
                {{"image", image_link(region)},
                 {"zoom links", zoom_links(region)},
                 {"zoom out", zoom_out_link(region)},
                 {"region", describe(region)}});
}

}  // namespace

rondo::task<rondo::response> slow(rondo::request& req) {
    const milliseconds duration = duration_of(req);
    co_await wait_on_loop(duration);
    co_return rondo::text(fmt::format("Waited {} ms on the event loop.\n", duration.count()));
}

rondo::response slow_sync(rondo::request& req) {
    const milliseconds duration = duration_of(req);
    wait_on_thread(duration);
    return rondo::text(fmt::format("Waited {} ms on a thread.\n", duration.count()));
}

rondo::task<rondo::response> race(rondo::request& req) {
    const std::string_view kind = req.query("kind").value_or("async");
    if (kind != "async" && kind != "sync") throw rondo::http_error(400, "kind must be async or sync");
    const race_options options{kind == "sync" ? view_kind::sync : view_kind::async,
                               std::clamp(req.query_as<unsigned>("calls", 100), 1u, max_calls),
                               milliseconds(std::min(req.query_as<unsigned>("ms", 250), max_call_ms))};
    co_return rondo::stream([options](rondo::writer& out) { return write_race(options, out); }, "application/x-ndjson");
}

rondo::task<rondo::response> drip(rondo::request&) { co_return rondo::stream(lines()); }

rondo::task<rondo::response> views_page(rondo::request& req) { co_return render_views(region_of(req)); }

}  // namespace message_board
