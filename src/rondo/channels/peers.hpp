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
class mesh final : acceptor {
public:
    /// Callbacks for received frames, on the I/O thread.
    struct sink {
        std::function<void(std::shared_ptr<const message_body>)> message;
        std::function<void()> gap;
    };
    /// Joins the processes whose names begin with `prefix`. Throws when the kernel refuses.
    mesh(const std::string& prefix, sink handlers);
    ~mesh();
    mesh(const mesh&) = delete;
    mesh& operator=(const mesh&) = delete;

    /// Returns null when the kernel has accepted the message for every process, else an object that settles then.
    [[nodiscard]] std::shared_ptr<pending> publish(const std::shared_ptr<const message_body>& body);
    void gave_up(const std::shared_ptr<pending>& publishing);
    /// Returns null when all processes that existed at the start send here, else an object that settles then.
    [[nodiscard]] std::shared_ptr<pending> joined();

    [[nodiscard]] std::size_t members() const;  ///< without this one
    [[nodiscard]] std::uint64_t missed() const;

private:
    using link_list = std::vector<std::shared_ptr<link>>;
    mesh(const std::string& own_name, std::size_t prefix, sink handlers);
    mesh(std::string own_name, std::size_t prefix, unique_fd socket, sink handlers);

    void accepted(int fd) noexcept override;
    void accept_failed(int error) noexcept override;
    void take(frame_head header, std::string_view name, std::string_view bytes);
    void came(const std::string& name);
    void arrived(const std::string& name);
    /// Throws std::system_error.
    void heard_of(const std::string& name);
    /// Whether this is a valid name for a process of this server.
    [[nodiscard]] bool is_member(std::string_view name) const noexcept;
    void lost(const std::string& name);
    [[nodiscard]] std::shared_ptr<const link_list> links() const;

    std::shared_ptr<io_thread> io_;
    const std::string name_;
    const std::size_t prefix_size_;
    sink to_;
    unique_fd socket_;
    std::vector<std::unique_ptr<receiver>> receivers_;  // used on the I/O thread only
    mutable std::mutex mutex_;
    std::shared_ptr<const link_list> links_ = std::make_shared<link_list>();
    std::set<std::string> expected_;  // their hello has not arrived yet
    std::vector<std::shared_ptr<pending>> joining_;
    std::uint64_t missed_ = 0;  // of senders that have been removed
};

}  // namespace rondo::channels_detail
