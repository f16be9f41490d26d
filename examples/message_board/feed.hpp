// SPDX-License-Identifier: Apache-2.0
// The messages in the order of their ids, with the newest in memory, for views that wait for more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <rondo/channels.hpp>
#include <rondo/coro/task.hpp>
#include <rondo/loop/notifier.hpp>

#include "messages.hpp"

namespace message_board {

/// All messages are in SQLite, the newest in memory too, so that one message for ten thousand open pages costs one
/// write, and one read of the file in each process. The workers of one machine share the file; a channel notifies them,
/// and other machines, of a message.
class feed {
public:
    /// Blocks.
    feed(const std::string& path, rondo::channels& channels);

    /// Stores the message, then notifies all waiting tasks, in this process and in others. Blocks.
    message add(const draft& d);
    /// Reads what other processes have written. Blocks.
    void catch_up();
    /// Receives the messages of other processes until it is cancelled.
    [[nodiscard]] rondo::task<void> receive();

    /// At most `limit` messages with a greater id, oldest first. Blocks when they are too old to be in memory.
    [[nodiscard]] std::vector<message> after(std::int64_t id, std::size_t limit);
    /// At most `limit` messages with a smaller id, newest first. Blocks when they are too old to be in memory.
    [[nodiscard]] std::vector<message> before(std::int64_t id, std::size_t limit);
    /// The id of the newest message this process knows; 0 when there is none.
    [[nodiscard]] std::int64_t last() const noexcept { return static_cast<std::int64_t>(last_id_.count()); }

    /// Waits up to `timeout` for messages with a greater id, and returns at most `limit` of them; empty after a
    /// timeout.
    [[nodiscard]] rondo::task<std::vector<message>> wait_after(std::int64_t id, std::size_t limit,
                                                               rondo::clock::duration timeout);

private:
    [[nodiscard]] std::optional<std::vector<message>> recent_after(std::int64_t id, std::size_t limit);
    [[nodiscard]] std::optional<std::vector<message>> recent_before(std::int64_t id, std::size_t limit);
    void append_recent(const message& m);
    void publish(const message& m);
    void on_message(std::string_view packed);

    message_store store_;
    rondo::channels& channels_;
    std::mutex catch_up_mutex_;  // messages are announced in the order of their ids
    std::mutex recent_mutex_;
    std::deque<message> recent_;
    std::int64_t evicted_id_ = 0;  // messages up to this id may be missing from recent_
    rondo::notifier last_id_;
};

}  // namespace message_board
