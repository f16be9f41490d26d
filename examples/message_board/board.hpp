// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <rondo/web/request.hpp>
#include <rondo/web/response.hpp>
#include <rondo/web/sse.hpp>

#include "feed.hpp"

namespace message_board {

/// The views of the messages.
class board {
public:
    /// What tells the other processes of messages.
    explicit board(rondo::channels& told) noexcept : told_(told) {}
    /// Opens the SQLite file. Blocks; throws std::runtime_error with a sentence.
    void open(const std::string& path) { feed_ = std::make_unique<feed>(path, told_); }
    /// Listens to the other processes; never returns.
    rondo::task<void> follow() { return feed_->follow(); }

    /// GET /?before=ID: the page with the newest messages, or those before an id.
    rondo::response page(rondo::request& req);
    /// GET /messages?after=ID or ?before=ID: {"messages": [...], "last": ID}, in the order they were written.
    rondo::response list(rondo::request& req);
    /// POST /messages: a form gets 303 back to the page, JSON gets 201 and the message. What cannot be said gets 400 or
    /// 422 with a sentence.
    rondo::response post(rondo::request& req);
    /// GET /events?after=ID: new messages as server-sent events; their ids are the messages'.
    rondo::task<rondo::response> events(rondo::request& req);
    /// GET /poll?after=ID&wait=SECONDS: as /messages, but waits for news, 25 s at most.
    rondo::task<rondo::response> poll(rondo::request& req);

private:
    rondo::async_generator<rondo::sse_event> follow(std::int64_t seen);
    rondo::task<std::int64_t> wanted(std::int64_t id);

    rondo::channels& told_;
    std::unique_ptr<feed> feed_;
};

}  // namespace message_board
