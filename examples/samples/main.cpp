// SPDX-License-Identifier: Apache-2.0
// A tour of the framework: one small application, from which the samples of docs/ are cut.
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

// [sample kinds]
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

// [sample off the loop]
task<response> report(request&) {
    // A library that blocks, called from an async view: on the pool, while the loop goes on.
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
    auto times = req.query_as<unsigned>("times", 1);  // 400 with a sentence when it is no number
    std::string_view name = req.query("name").value_or("nobody");
    if (times > 10) throw rondo::http_error(422, "at most ten times");
    std::string out;
    for (unsigned i = 0; i < times; ++i) out += "hello " + std::string(name) + "\n";
    co_return rondo::text(std::move(out)).field("X-Greeted", std::to_string(times)).cookie("last", name);
}
// [end]

// [sample json]
task<response> add(request& req) {
    rondo::codec::json_value in = co_await req.json();  // 415 for another type, 400 for bad JSON
    auto a = in["a"].if_integer();
    auto b = in["b"].if_integer();
    if (!a || !b) throw rondo::http_error(422, "a and b are whole numbers");
    co_return rondo::json(rondo::codec::json_value::object({{"sum", *a + *b}}));
}
// [end]

// [sample form]
task<response> upload(request& req) {
    rondo::form_data& form = co_await req.form();  // urlencoded or multipart; large files go to the disk
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
        std::string_view piece = co_await req.read();  // holds until the next read
        if (piece.empty()) break;
        bytes += piece.size();
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
rondo::notifier news;  // counts what happened

rondo::async_generator<rondo::sse_event> feed(std::uint64_t seen) {
    for (;;) {
        seen = co_await news.wait_past(seen);
        co_yield rondo::sse_event("number " + std::to_string(seen), std::to_string(seen));
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
    auto seen = req.query_as<std::uint64_t>("after", 0);
    std::uint64_t now = co_await news.wait_past(seen, 1s);
    if (now <= seen) co_return rondo::no_content();  // nothing new: the client asks again
    co_return rondo::text(std::to_string(now) + "\n");
}
// [end]

// [sample together]
task<int> slow_answer(int value) {
    co_await rondo::sleep(50ms);
    co_return value;
}

task<response> together(request&) {
    // As long as the slowest, not as the sum; when one fails, the others are cancelled.
    auto [a, b, c] = co_await rondo::when_all(slow_answer(1), slow_answer(2), slow_answer(3));
    co_return rondo::text(std::to_string(a + b + c) + "\n");
}

task<response> hurried(request&) {
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
    auto began = rondo::clock::now();
    response r = co_await next(req);
    auto us = std::chrono::duration_cast<std::chrono::microseconds>(rondo::clock::now() - began);
    co_return std::move(r).field("X-Time-Us", std::to_string(us.count()));
}

std::optional<response> only_with_key(request& req) {  // sync: on the blocking pool, before the view
    if (req.field("X-Key") == "open sesame") return std::nullopt;
    return rondo::text("a key is missing\n").status(401);
}
// [end]

// [sample errors]
response broken(request&) { throw std::runtime_error("the text of this never reaches a client"); }

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
    app.get("/hurried", hurried);
    app.get("/broken", broken);
    // [sample files]
    app.get("/source", [](request&) -> task<response> { co_return co_await rondo::file(__FILE__); });
    app.get("/static/<path:name>", rondo::static_folder("."));
    // [end]
    // [sample mount]
    rondo::app admin;
    admin.use(only_with_key);
    admin.get("/users", [](request&) { return rondo::text("you\n"); });
    app.mount("/admin", std::move(admin));
    // [end]
    app.mount("/calls", calls());
    // [sample settings]
    auto greeting = app.setting("greeting", "TEXT", "Hello", "what /welcome says");
    auto patience = app.setting("patience", "TIME", std::chrono::seconds(2), "until /welcome gives up");
    app.get("/welcome", [greeting, patience](request&) {
        return rondo::text(*greeting + "; I wait " + std::to_string(patience->count()) + " ms\n");
    });
    app.prefer("keepalive-timeout", "30s");
    // [end]
    app.prefer("workers", "1");  // what it launches and tells of is kept in memory
    // [sample command]
    app.command("greet", "prints the greeting to each of the words", [greeting](rondo::command_arguments words) {
        for (const std::string& word : words) std::printf("%s, %s!\n", greeting->c_str(), word.c_str());
        return words.empty() ? 1 : 0;
    });
    // [end]
    app.use(timed);
    app.on_error(404, not_found_page);
    return rondo::run(app, argc, argv);
}
