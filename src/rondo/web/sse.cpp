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

/// Two tasks beside each other: one pulls the generator, the other writes and knows how long there was nothing to
/// write. The generator is not interrupted for a keep-alive comment.
class event_stream final : public body_source {
public:
    event_stream(async_generator<sse_event> events, sse_options options) noexcept
        : events_(std::move(events)), options_(options) {}

    task<void> send(handler::responder& to, const handler::response_head& head, request& req) override {
        to.begin(head, {});
        // A server that ends says so by the end of the stream: browsers come back with the last id they saw.
        event* const draining = req.received().draining;
        if (to.body_wanted() && draining) co_await when_any(stream(to), wait_for_drain(*draining));
        else if (to.body_wanted()) co_await stream(to);
        to.finish();
    }

private:
    task<void> stream(handler::responder& to) { co_await when_all(write(to), pull()); }
    static task<void> wait_for_drain(event& draining) { co_await draining.wait(); }

    task<void> pull() {
        sse_event* event = co_await events_.next();
        while (event) {
            pulled_ = event;
            changed_.set();
            taken_.reset();
            co_await taken_.wait();
            event = co_await events_.next();
        }
        changed_.set();  // nothing pulled: the end
    }

    task<void> write(handler::responder& to) {
        std::string text;
        while (true) {
            text.clear();
            const bool changed = co_await wait_for(changed_, options_.keep_alive);
            if (!changed) http::append_comment(text, "keep-alive");
            else if (!take(text)) break;
            co_await to.write(text);
        }
    }

    /// False at the end.
    bool take(std::string& text) {
        changed_.reset();
        if (!pulled_) return false;
        http::append(text, *std::exchange(pulled_, nullptr));
        taken_.set();
        return true;
    }

    async_generator<sse_event> events_;
    sse_options options_;
    sse_event* pulled_ = nullptr;  // lives in the generator until it is pulled again
    event changed_;                // there is something to write, or the end
    event taken_;
};

}  // namespace

response sse(async_generator<sse_event> events, sse_options options) {
    // X-Accel-Buffering: nginx would hold the events back to fill its buffer.
    return with_source(std::make_unique<event_stream>(std::move(events), options), "text/event-stream")
        .field("Cache-Control", "no-cache, no-transform")
        .field("X-Accel-Buffering", "no");
}

std::optional<std::string_view> last_event_id(const request& req) noexcept { return req.field("Last-Event-ID"); }

}  // namespace rondo
