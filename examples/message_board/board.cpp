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
#include <rondo/loop/thread_pool.hpp>
#include <rondo/web/form.hpp>
#include <rondo/web/routing/convert.hpp>

#include "pages.hpp"

namespace message_board {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t page_size = 50, batch_size = 100;
constexpr std::int64_t max_id = std::numeric_limits<std::int64_t>::max();
constexpr unsigned max_wait = 25;  // seconds: below the timeouts of proxies and browsers

std::string list_json(std::span<const message> messages, std::int64_t last) {
    std::string out;
    rondo::codec::json_writer writer(out);
    writer.begin_object().key("messages").begin_array();
    for (const message& m : messages) write_json(writer, m);
    writer.end_array().member("last", messages.empty() ? last : messages.back().id).end_object();
    return out;
}

rondo::response uncached_json(std::span<const message> messages, std::int64_t last) {
    return rondo::json_text(list_json(messages, last)).field("Cache-Control", "no-store");
}

bool is_json(const rondo::request& req) {
    return req.field("Content-Type").value_or(std::string_view()).starts_with("application/json");
}

// The posted message, not validated yet.
draft read_draft(rondo::request& req) {
    if (!is_json(req)) {
        const rondo::form_data& form = req.form_sync();
        return {std::string(form.value("author")), std::string(form.value("text"))};
    }
    const rondo::codec::json_value body = req.json_sync();
    const auto text_of = [&](std::string_view name) {
        const rondo::codec::json_value& value = body[name];
        if (!value.is_null() && !value.is_string())
            throw rondo::http_error(422, "author and text must be strings: {\"author\": \"...\", \"text\": \"...\"}");
        return value.is_string() ? value.as_string() : std::string();
    };
    return {text_of("author"), text_of("text")};
}

rondo::sse_event make_event(const message& m) {
    rondo::sse_event event;
    event.data = to_json(m);
    event.id = std::to_string(m.id);
    return event;
}

// Sets the browser's last event id, and makes it reconnect after a second when the connection ends.
rondo::sse_event hello_event(std::int64_t last_seen) {
    rondo::sse_event event;
    event.event = "hello";
    event.id = std::to_string(last_seen);
    event.retry = 1000;
    return event;
}

rondo::task<void> wait_for_drain(const rondo::request& req) {
    rondo::event never;
    rondo::event* const draining = req.server_request().draining;
    co_await (draining != nullptr ? *draining : never).wait();
}

}  // namespace

// A client may have received a message from another worker before this worker has read it. An id beyond the end of the
// file, as after a reset of the database, would wait forever.
rondo::task<std::int64_t> board::clamp_to_known(std::int64_t id) {
    if (id > feed_->last() && id != max_id) co_await rondo::run_blocking([this] { feed_->catch_up(); });
    co_return std::clamp<std::int64_t>(id, 0, feed_->last());
}

rondo::response board::page(rondo::request& req) {
    const auto before = req.query_as<std::int64_t>("before", max_id);
    feed_->catch_up();
    const std::int64_t last = feed_->last();
    const std::vector<message> messages = feed_->before(before, page_size);
    return board_page({.messages = messages, .last = last, .live = before == max_id, .input = {}, .error = {}});
}

rondo::response board::list(rondo::request& req) {
    feed_->catch_up();
    const std::int64_t last = feed_->last();
    if (req.query("after")) {
        const std::int64_t after = std::clamp<std::int64_t>(req.query_as<std::int64_t>("after"), 0, last);
        return uncached_json(feed_->after(after, batch_size), after);
    }
    std::vector<message> messages = feed_->before(req.query_as<std::int64_t>("before", max_id), batch_size);
    std::ranges::reverse(messages);
    return uncached_json(messages, last);
}

rondo::response board::post(rondo::request& req) {
    // A page of another site can make a browser send this form: the user did not write such a message.
    if (req.field("Sec-Fetch-Site") == "cross-site") throw rondo::http_error(403, "Cross-site posts are not accepted");
    draft input = read_draft(req);
    auto validated = validate(input.author, input.text);
    if (validated) {
        const message added = feed_->add(*validated);
        if (is_json(req)) return rondo::json_text(to_json(added)).status(201);
        return rondo::redirect("/");
    }
    const rejection& error = validated.error();
    if (is_json(req) || error.status == 400) throw rondo::http_error(error.status, error.reason);
    const std::vector<message> messages = feed_->before(max_id, page_size);
    return board_page({messages, feed_->last(), true, std::move(input), error.reason}).status(error.status);
}

rondo::task<rondo::response> board::events(rondo::request& req) {
    std::int64_t last_seen = req.query_as<std::int64_t>("after", max_id);
    if (const auto id = rondo::last_event_id(req)) last_seen = rondo::parse_integer(*id).value_or(max_id);
    last_seen = co_await clamp_to_known(last_seen);
    co_return rondo::sse(stream_after(last_seen));
}

rondo::async_generator<rondo::sse_event> board::stream_after(std::int64_t last_seen) {
    co_yield hello_event(last_seen);
    while (true) {
        const std::vector<message> messages =
            co_await feed_->wait_after(last_seen, batch_size, rondo::clock::duration::max());
        for (const message& m : messages) co_yield make_event(m);
        if (!messages.empty()) last_seen = messages.back().id;
    }
}

rondo::task<rondo::response> board::poll(rondo::request& req) {
    const std::int64_t after = co_await clamp_to_known(req.query_as<std::int64_t>("after", max_id));
    const std::chrono::seconds timeout(std::min(req.query_as<unsigned>("wait", max_wait), max_wait));
    // A draining server answers waiting polls at once; the clients poll again.
    const auto first = co_await rondo::when_any(feed_->wait_after(after, batch_size, timeout), wait_for_drain(req));
    const std::vector<message>* const messages = std::get_if<0>(&first);
    co_return uncached_json(messages != nullptr ? *messages : std::vector<message>(), after);
}

}  // namespace message_board
