// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/sse.hpp>

#include <memory>
#include <string>
#include <utility>

#include <rondo/coro/event.hpp>
#include <rondo/coro/when_all.hpp>
#include <rondo/coro/when_any.hpp>
#include <rondo/loop/wait_for.hpp>

namespace rondo {

namespace {

/// Runs two tasks concurrently: one pulls events from the generator, the other writes them and sends keep-alive
/// comments when idle. A comment does not interrupt the generator.
class event_stream final : public body_source {
public:
    event_stream(async_generator<sse_event> events, sse_options options) noexcept
        : events_(std::move(events)), options_(options) {}

    task<void> send(handler::responder& to, const handler::response_head& head, request& req) override {
        to.start(head, {});
        // On drain the stream ends: browsers reconnect with the last id they received.
        event* const draining = req.server_request().draining;
        if (to.needs_body() && draining) co_await when_any(stream(to), wait_for_drain(*draining));
        else if (to.needs_body()) co_await stream(to);
        to.finish();
    }

private:
    task<void> stream(handler::responder& to) { co_await when_all(write(to), pull()); }
    static task<void> wait_for_drain(event& draining) { co_await draining.wait(); }

    task<void> pull() {
        sse_event* event = co_await events_.next();
        while (event) {
            pending_ = event;
            ready_.set();
            consumed_.reset();
            co_await consumed_.wait();
            event = co_await events_.next();
        }
        ready_.set();  // without a pending event: the end
    }

    task<void> write(handler::responder& to) {
        std::string text;
        while (true) {
            text.clear();
            const bool changed = co_await wait_for(ready_, options_.keep_alive);
            if (!changed) http::append_comment(text, "keep-alive");
            else if (!append_pending(text)) break;
            co_await to.write(text);
        }
    }

    /// Returns false at the end.
    bool append_pending(std::string& text) {
        ready_.reset();
        if (!pending_) return false;
        http::append(text, *std::exchange(pending_, nullptr));
        consumed_.set();
        return true;
    }

    async_generator<sse_event> events_;
    sse_options options_;
    sse_event* pending_ = nullptr;  // owned by the generator, valid until it is resumed
    event ready_;                   // an event is pending, or the generator has ended
    event consumed_;
};

}  // namespace

response sse(async_generator<sse_event> events, sse_options options) {
    // X-Accel-Buffering: by default nginx would buffer the events.
    return with_source(std::make_unique<event_stream>(std::move(events), options), "text/event-stream")
        .field("Cache-Control", "no-cache, no-transform")
        .field("X-Accel-Buffering", "no");
}

std::optional<std::string_view> last_event_id(const request& req) noexcept { return req.field("Last-Event-ID"); }

}  // namespace rondo
