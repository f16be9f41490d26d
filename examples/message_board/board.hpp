// SPDX-License-Identifier: Apache-2.0
// The views that list, post and stream messages.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <rondo/web/request.hpp>
#include <rondo/web/response.hpp>
#include <rondo/web/sse.hpp>

#include "feed.hpp"

namespace message_board {

/// The views that list, post and stream messages.
class board {
public:
    /// `channels` carries messages between processes.
    explicit board(rondo::channels& channels) noexcept : channels_(channels) {}
    /// Opens the SQLite file. Blocks; throws std::runtime_error with a user-facing message.
    void open(const std::string& path) { feed_ = std::make_unique<feed>(path, channels_); }
    /// Receives the messages of other processes until it is cancelled.
    rondo::task<void> receive() { return feed_->receive(); }

    /// GET /?before=ID: the page with the newest messages, or with those before an id.
    rondo::response page(rondo::request& req);
    /// GET /messages?after=ID or ?before=ID: {"messages": [...], "last": ID}, in the order they were written.
    rondo::response list(rondo::request& req);
    /// POST /messages: a form gets 303 back to the page, JSON gets 201 and the message. An invalid message gets 400 or
    /// 422 with the reason.
    rondo::response post(rondo::request& req);
    /// GET /events?after=ID: new messages as server-sent events; event ids are message ids.
    rondo::task<rondo::response> events(rondo::request& req);
    /// GET /poll?after=ID&wait=SECONDS: as /messages, but waits for a new message, 25 s at most.
    rondo::task<rondo::response> poll(rondo::request& req);

private:
    rondo::async_generator<rondo::sse_event> stream_after(std::int64_t last_seen);
    rondo::task<std::int64_t> clamp_to_known(std::int64_t id);

    rondo::channels& channels_;
    std::unique_ptr<feed> feed_;
};

}  // namespace message_board
