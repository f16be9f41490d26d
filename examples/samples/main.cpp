// SPDX-License-Identifier: Apache-2.0
// One small application with most of the samples of docs/.
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>

#include <rondo/coro/when_all.hpp>
#include <rondo/loop/timeout.hpp>
#include <rondo/web.hpp>

#include "calls.hpp"

using namespace std::chrono_literals;
using rondo::request;
using rondo::response;
using rondo::task;

namespace {

// [sample view kinds]
task<response> waits(request&) {  // async: on the event loop
    co_await rondo::sleep(50ms);
    co_return rondo::text("waited\n");
}

response blocks(request&) {  // sync: on a thread of the blocking pool
    std::this_thread::sleep_for(50ms);
    return rondo::text("blocked a thread, not the loop\n");
}

response computes(request& req) {  // registered with rondo::cpu(): on a compute thread
    auto n = req.query_as<std::uint64_t>("n", 27);
    unsigned steps = 0;
    for (; n > 1; ++steps) n = n % 2 ? 3 * n + 1 : n / 2;
    return rondo::text(std::to_string(steps) + "\n");
}
// [end]

// [sample run blocking]
task<response> report(request&) {
    // An async view calls a blocking library: on the blocking pool, while the loop serves other requests.
    std::string text = co_await rondo::run_blocking([] {
        std::this_thread::sleep_for(20ms);
        return std::string("from a thread\n");
    });
    co_return rondo::text(text);
}
// [end]

// [sample parameters]
response article(request&, int year, std::string_view slug) {
    return rondo::text(std::to_string(year) + "/" + std::string(slug) + "\n");
}
// [end]

// [sample request]
task<response> greet(request& req) {
    auto times = req.query_as<unsigned>("times", 1);  // 400 when it is not a number
    std::string_view name = req.query("name").value_or("world");
    if (times > 10) throw rondo::http_error(422, "times must be at most 10");
    std::string out;
    for (unsigned i = 0; i < times; ++i) out += "hello " + std::string(name) + "\n";
    co_return rondo::text(std::move(out)).field("X-Greeted", std::to_string(times)).cookie("last", name);
}
// [end]

// [sample json]
task<response> add(request& req) {
    rondo::codec::json_value body = co_await req.json();  // 415 for another type, 400 for bad JSON
    auto a = body["a"].if_integer();
    auto b = body["b"].if_integer();
    if (!a || !b) throw rondo::http_error(422, "a and b must be integers");
    co_return rondo::json(rondo::codec::json_value::object({{"sum", *a + *b}}));
}
// [end]

// [sample form]
task<response> upload(request& req) {
    rondo::form_data& form = co_await req.form();  // urlencoded or multipart; large files are spooled to disk
    std::string out = "title " + std::string(form.value("title", "none")) + "\n";
    for (rondo::form_file& f : form.files()) {
        out += f.filename + " " + std::to_string(f.content.size()) + " bytes\n";
    }
    co_return rondo::text(std::move(out));
}
// [end]

// [sample body]
task<response> count_bytes(request& req) {
    std::size_t bytes = 0;
    for (;;) {
        std::string_view chunk = co_await req.read();  // valid until the next read
        if (chunk.empty()) break;
        bytes += chunk.size();
    }
    co_return rondo::text(std::to_string(bytes) + "\n");
}
// [end]

// [sample stream]
rondo::async_generator<std::string> countdown(int from) {
    for (int i = from; i > 0; --i) {
        co_yield std::to_string(i) + "\n";
        co_await rondo::sleep(20ms);
    }
    co_yield "lift off\n";
}

response launch(request&) { return rondo::stream(countdown(3)); }
// [end]

// [sample sse]
rondo::notifier news;  // counts events

rondo::async_generator<rondo::sse_event> feed(std::uint64_t last_id) {
    for (;;) {
        last_id = co_await news.wait_past(last_id);
        co_yield rondo::sse_event("number " + std::to_string(last_id), std::to_string(last_id));
    }
}

response events(request& req) {
    auto last = rondo::parse_unsigned(rondo::last_event_id(req).value_or("0"));
    return rondo::sse(feed(last.value_or(0)));
}

response publish(request&) {
    news.notify();  // from any thread
    return rondo::no_content();
}
// [end]

// [sample long poll]
task<response> poll(request& req) {
    auto after = req.query_as<std::uint64_t>("after", 0);
    std::uint64_t count = co_await news.wait_past(after, 1s);
    if (count <= after) co_return rondo::no_content();  // nothing new: the client polls again
    co_return rondo::text(std::to_string(count) + "\n");
}
// [end]

// [sample together]
task<int> slow_answer(int value) {
    co_await rondo::sleep(50ms);
    co_return value;
}

task<response> together(request&) {
    // Takes as long as the slowest, not the sum; when one fails, the others are cancelled.
    auto [a, b, c] = co_await rondo::when_all(slow_answer(1), slow_answer(2), slow_answer(3));
    co_return rondo::text(std::to_string(a + b + c) + "\n");
}

task<response> limited(request&) {
    try {
        int value = co_await rondo::with_timeout(10ms, slow_answer(1));
        co_return rondo::text(std::to_string(value) + "\n");
    } catch (const rondo::timed_out&) {
        co_return rondo::text("too slow\n").status(504);
    }
}
// [end]

// [sample middleware]
task<response> timed(request& req, rondo::next next) {
    auto start = rondo::clock::now();
    response r = co_await next(req);
    auto us = std::chrono::duration_cast<std::chrono::microseconds>(rondo::clock::now() - start);
    co_return std::move(r).field("X-Time-Us", std::to_string(us.count()));
}

std::optional<response> require_key(request& req) {  // sync: on the blocking pool, before the view
    if (req.field("X-Key") == "open sesame") return std::nullopt;
    return rondo::text("missing key\n").status(401);
}
// [end]

// [sample errors]
response broken(request&) { throw std::runtime_error("this text never reaches a client"); }

response not_found_page(request& req, const rondo::failure&) {
    return rondo::html("<h1>Nothing at " + rondo::html_escape(req.raw_path()) + "</h1>").status(404);
}
// [end]

}  // namespace

int main(int argc, char** argv) {
    rondo::app app;
    // [sample routes]
    app.get("/waits", waits);
    app.get("/blocks", blocks);
    app.get("/computes", rondo::cpu(computes));
    app.get("/articles/<int:year>/<slug:name>", article);
    app.post("/upload", upload).body_limit(16 << 20);
    // [end]
    app.get("/report", report);
    app.get("/greet", greet);
    app.post("/add", add);
    app.post("/count", count_bytes);
    app.get("/launch", launch);
    app.get("/events", events);
    app.post("/publish", publish);
    app.get("/poll", poll);
    app.get("/together", together);
    app.get("/limited", limited);
    app.get("/broken", broken);
    // [sample files]
    app.get("/source", [](request&) -> task<response> { co_return co_await rondo::file(__FILE__); });
    app.get("/static/<path:name>", rondo::static_folder("."));
    // [end]
    // [sample mount]
    rondo::app admin;
    admin.use(require_key);
    admin.get("/users", [](request&) { return rondo::text("you\n"); });
    app.mount("/admin", std::move(admin));
    // [end]
    app.mount("/calls", calls());
    // [sample settings]
    auto greeting = app.setting("greeting", "TEXT", "Hello", "greeting of /welcome");
    auto reply_timeout =
        app.setting("reply-timeout", "TIME", std::chrono::seconds(2), "time /welcome waits for a reply");
    app.get("/welcome", [greeting, reply_timeout](request&) {
        return rondo::text(*greeting + "; please reply within " + std::to_string(reply_timeout->count()) + " ms\n");
    });
    app.set_default("keepalive-timeout", "30s");
    // [end]
    app.set_default("workers", "1");  // the counter `news` is in the memory of one process
    // [sample command]
    app.command("greet", "greet each of the names", [greeting](rondo::command_arguments names) {
        for (const std::string& name : names) std::printf("%s, %s!\n", greeting->c_str(), name.c_str());
        return names.empty() ? 1 : 0;
    });
    // [end]
    app.use(timed);
    app.on_error(404, not_found_page);
    return rondo::run(app, argc, argv);
}
