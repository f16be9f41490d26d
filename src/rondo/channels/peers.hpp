// SPDX-License-Identifier: Apache-2.0
// The message connections between the processes of one server.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <rondo/channels/io_thread.hpp>
#include <rondo/channels/peer_connection.hpp>

namespace rondo::channels_detail {

/// The processes of one server, each connected to each. A process listens on its own name, connects to all existing
/// processes and sends its name; they connect back, and from then on their messages arrive here. A killed process holds
/// no shared lock; its connections end after what it had sent.
class peers final : acceptor {
public:
    /// Callbacks for received frames, on the I/O thread.
    struct event_handlers {
        std::function<void(std::shared_ptr<const message_body>)> on_message;
        std::function<void()> on_gap;
    };
    /// Joins the processes whose names begin with `prefix`. Throws when the kernel refuses.
    peers(const std::string& prefix, event_handlers handlers);
    ~peers();
    peers(const peers&) = delete;
    peers& operator=(const peers&) = delete;

    /// Returns null when the kernel has accepted the message for every process, else an object that settles then.
    [[nodiscard]] std::shared_ptr<pending> publish(const std::shared_ptr<const message_body>& body);
    void on_publish_timeout(const std::shared_ptr<pending>& publishing);
    /// Returns null when all processes that existed at the start send here, else an object that settles then.
    [[nodiscard]] std::shared_ptr<pending> when_joined();

    [[nodiscard]] std::size_t size() const;  ///< without this one
    [[nodiscard]] std::uint64_t missed() const;

private:
    using sender_list = std::vector<std::shared_ptr<peer_sender>>;
    peers(const std::string& own_name, std::size_t prefix, event_handlers handlers);
    peers(std::string own_name, std::size_t prefix, unique_fd socket, event_handlers handlers);

    void accepted(int fd) noexcept override;
    void accept_failed(int error) noexcept override;
    void on_frame(frame_header header, std::string_view name, std::string_view bytes);
    void on_hello(const std::string& name);
    void mark_ready(const std::string& name);
    /// Throws std::system_error.
    void add_peer(const std::string& name);
    /// Whether this is a valid name for a process of this server.
    [[nodiscard]] bool is_peer_name(std::string_view name) const noexcept;
    void remove_peer(const std::string& name);
    [[nodiscard]] std::shared_ptr<const sender_list> senders() const;

    std::shared_ptr<io_thread> io_;
    const std::string name_;
    const std::size_t prefix_size_;
    event_handlers handlers_;
    unique_fd socket_;
    std::vector<std::unique_ptr<peer_receiver>> receivers_;  // used on the I/O thread only
    mutable std::mutex mutex_;
    std::shared_ptr<const sender_list> senders_ = std::make_shared<sender_list>();
    std::set<std::string> expected_;  // their hello has not arrived yet
    std::vector<std::shared_ptr<pending>> join_waiters_;
    std::uint64_t missed_ = 0;  // of senders that have been removed
};

}  // namespace rondo::channels_detail
