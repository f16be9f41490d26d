// SPDX-License-Identifier: Apache-2.0
#include "board.hpp"

#include <algorithm>
#include <chrono>
#include <limits>
#include <span>
#include <string_view>
#include <utility>
#include <variant>

#include <rondo/codec/json.hpp>
#include <rondo/coro/event.hpp>
#include <rondo/coro/when_any.hpp>
#include <rondo/loop/pool.hpp>
#include <rondo/web/form.hpp>
#include <rondo/web/routing/convert.hpp>

#include "pages.hpp"

namespace message_board {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t on_a_page = 50, in_a_batch = 100;
constexpr std::int64_t after_all = std::numeric_limits<std::int64_t>::max();
constexpr unsigned longest_wait = 25;  // seconds: less than proxies and browsers wait

std::string list_json(std::span<const message> messages, std::int64_t last) {
    std::string out;
    rondo::codec::json_writer writer(out);
    writer.begin_object().key("messages").begin_array();
    for (const message& m : messages) write_json(writer, m);
    writer.end_array().member("last", messages.empty() ? last : messages.back().id).end_object();
    return out;
}

rondo::response news_json(std::span<const message> messages, std::int64_t last) {
    return rondo::json_text(list_json(messages, last)).field("Cache-Control", "no-store");
}

bool is_json(const rondo::request& req) {
    return req.field("Content-Type").value_or(std::string_view()).starts_with("application/json");
}

// What was sent, not yet looked at.
draft read_draft(rondo::request& req) {
    if (!is_json(req)) {
        const rondo::form_data& form = req.form_sync();
        return {std::string(form.value("author")), std::string(form.value("text"))};
    }
    const rondo::codec::json_value body = req.json_sync();
    const auto text_of = [&](std::string_view name) {
        const rondo::codec::json_value& value = body[name];
        if (!value.is_null() && !value.is_string())
            throw rondo::http_error(422, "author and text must be texts: {\"author\": \"...\", \"text\": \"...\"}");
        return value.is_string() ? value.as_string() : std::string();
    };
    return {text_of("author"), text_of("text")};
}

rondo::sse_event event_of(const message& m) {
    rondo::sse_event event;
    event.data = to_json(m);
    event.id = std::to_string(m.id);
    return event;
}

// Tells the browser where it stands, and to come back after a second when the connection ends.
rondo::sse_event greeting(std::int64_t seen) {
    rondo::sse_event event;
    event.event = "hello";
    event.id = std::to_string(seen);
    event.retry = 1000;
    return event;
}

rondo::task<void> end_of_server(const rondo::request& req) {
    rondo::event never;
    rondo::event* const ending = req.received().draining;
    co_await (ending != nullptr ? *ending : never).wait();
}

}  // namespace

// The id that a client has seen last. Another worker may have told it of a message before this one heard of it. An id
// of another life of the file would wait for ever.
rondo::task<std::int64_t> board::wanted(std::int64_t id) {
    if (id > feed_->last() && id != after_all) co_await rondo::run_blocking([this] { feed_->catch_up(); });
    co_return std::clamp<std::int64_t>(id, 0, feed_->last());
}

rondo::response board::page(rondo::request& req) {
    const auto before = req.query_as<std::int64_t>("before", after_all);
    feed_->catch_up();
    const std::int64_t last = feed_->last();
    const std::vector<message> messages = feed_->before(before, on_a_page);
    return board_page({.messages = messages, .last = last, .live = before == after_all, .kept = {}, .complaint = {}});
}

rondo::response board::list(rondo::request& req) {
    feed_->catch_up();
    const std::int64_t last = feed_->last();
    if (req.query("after")) {
        const std::int64_t after = std::clamp<std::int64_t>(req.query_as<std::int64_t>("after"), 0, last);
        return news_json(feed_->after(after, in_a_batch), after);
    }
    std::vector<message> messages = feed_->before(req.query_as<std::int64_t>("before", after_all), in_a_batch);
    std::ranges::reverse(messages);
    return news_json(messages, last);
}

rondo::response board::post(rondo::request& req) {
    // A page of another site can make a browser send our form: such a message is not the person's.
    if (req.field("Sec-Fetch-Site") == "cross-site")
        throw rondo::http_error(403, "Messages of other sites are not taken");
    draft wish = read_draft(req);
    auto checked = check(wish.author, wish.text);
    if (checked) {
        const message made = feed_->add(*checked);
        if (is_json(req)) return rondo::json_text(to_json(made)).status(201);
        return rondo::redirect("/");
    }
    const refusal& no = checked.error();
    if (is_json(req) || no.status == 400) throw rondo::http_error(no.status, no.sentence);
    const std::vector<message> messages = feed_->before(after_all, on_a_page);
    return board_page({messages, feed_->last(), true, std::move(wish), no.sentence}).status(no.status);
}

rondo::task<rondo::response> board::events(rondo::request& req) {
    std::int64_t seen = req.query_as<std::int64_t>("after", after_all);
    if (const auto id = rondo::last_event_id(req)) seen = rondo::parse_integer(*id).value_or(after_all);
    seen = co_await wanted(seen);
    co_return rondo::sse(follow(seen));
}

rondo::async_generator<rondo::sse_event> board::follow(std::int64_t seen) {
    co_yield greeting(seen);
    while (true) {
        const std::vector<message> news = co_await feed_->wait_after(seen, in_a_batch, rondo::clock::duration::max());
        for (const message& m : news) co_yield event_of(m);
        if (!news.empty()) seen = news.back().id;
    }
}

rondo::task<rondo::response> board::poll(rondo::request& req) {
    const std::int64_t after = co_await wanted(req.query_as<std::int64_t>("after", after_all));
    const std::chrono::seconds most(std::min(req.query_as<unsigned>("wait", longest_wait), longest_wait));
    // A server that ends does not wait for those who wait for news: they ask the next one.
    const auto first = co_await rondo::when_any(feed_->wait_after(after, in_a_batch, most), end_of_server(req));
    const std::vector<message>* const news = std::get_if<0>(&first);
    co_return news_json(news != nullptr ? *news : std::vector<message>(), after);
}

}  // namespace message_board
