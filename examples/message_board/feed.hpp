// SPDX-License-Identifier: Apache-2.0
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

/// The messages as the views want them: all of them in SQLite, the newest in memory too, so that one message for ten
/// thousand open pages costs one write, and one read of the file in each process. The file is shared by the workers of
/// one machine; what tells them, and other machines, of a message is a channel.
class feed {
public:
    /// Blocks.
    feed(const std::string& path, rondo::channels& told);

    /// Keeps the message, then tells everyone who waits, here and elsewhere. Blocks.
    message add(const draft& d);
    /// Looks what other processes wrote. Blocks.
    void catch_up();
    /// Listens to the others; never returns.
    [[nodiscard]] rondo::task<void> follow();

    /// At most `limit` messages with a greater id, oldest first. Blocks when they are too old to be in memory.
    [[nodiscard]] std::vector<message> after(std::int64_t id, std::size_t limit);
    /// At most `limit` messages with a smaller id, newest first. Blocks when they are too old to be in memory.
    [[nodiscard]] std::vector<message> before(std::int64_t id, std::size_t limit);
    /// The id of the newest message this process has heard of; 0 when there is none.
    [[nodiscard]] std::int64_t last() const noexcept { return static_cast<std::int64_t>(news_.count()); }

    /// Waits for messages with a greater id, at most so long; then what after() gives, nothing when the time is over.
    [[nodiscard]] rondo::task<std::vector<message>> wait_after(std::int64_t id, std::size_t limit,
                                                               rondo::clock::duration most);

private:
    [[nodiscard]] std::optional<std::vector<message>> recent_after(std::int64_t id, std::size_t limit);
    [[nodiscard]] std::optional<std::vector<message>> recent_before(std::int64_t id, std::size_t limit);
    void remember(const message& m);
    void tell_others(const message& m);
    void hear(std::string_view packed);

    message_store store_;
    rondo::channels& told_;
    std::mutex catching_up_;  // messages are announced in the order of their ids
    std::mutex mutex_;        // of recent_
    std::deque<message> recent_;
    std::int64_t forgotten_ = 0;  // the newest id that is not in recent_
    rondo::notifier news_;        // counts ids
};

}  // namespace message_board
