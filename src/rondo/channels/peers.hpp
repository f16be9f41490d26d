// SPDX-License-Identifier: Apache-2.0
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

/// The processes of one rendezvous, each connected with each. A process listens on a name of its own, connects to
/// everybody who is there, says its name, and everybody connects back: then what they send arrives here. There is
/// nothing shared that a killed process could hold; its connections end with it, after what it had sent.
class mesh final : acceptor {
public:
    /// What arrives, on the I/O thread.
    struct sink {
        std::function<void(std::shared_ptr<const message_body>)> message;
        std::function<void()> gap;
    };
    /// Joins; `prefix` is what the names of the members begin with. Throws when the kernel refuses.
    mesh(const std::string& prefix, sink to);
    ~mesh();
    mesh(const mesh&) = delete;
    mesh& operator=(const mesh&) = delete;

    /// Null when every process's kernel has it, else what tells when.
    [[nodiscard]] std::shared_ptr<pending> publish(const std::shared_ptr<const message_body>& body);
    void gave_up(const std::shared_ptr<pending>& publishing);
    /// Null when everybody who was there when this process joined sends here, else what tells when.
    [[nodiscard]] std::shared_ptr<pending> joined();

    [[nodiscard]] std::size_t members() const;  ///< others
    [[nodiscard]] std::uint64_t missed() const;

private:
    using link_list = std::vector<std::shared_ptr<link>>;
    mesh(const std::string& own_name, std::size_t prefix, sink to);
    mesh(std::string own_name, std::size_t prefix, unique_fd socket, sink to);

    void accepted(int fd) noexcept override;
    void accept_failed(int error) noexcept override;
    void take(frame_head head, std::string_view name, std::string_view bytes);
    void came(const std::string& name);
    void arrived(const std::string& name);
    /// Throws std::system_error.
    void heard_of(const std::string& name);
    /// Whether a process of this server could have this name.
    [[nodiscard]] bool is_member(std::string_view name) const noexcept;
    void lost(const std::string& name);
    [[nodiscard]] std::shared_ptr<const link_list> links() const;

    std::shared_ptr<io_thread> io_;
    const std::string name_;
    const std::size_t prefix_size_;
    sink to_;
    unique_fd socket_;
    std::vector<std::unique_ptr<receiver>> receivers_;  // the I/O thread's
    mutable std::mutex mutex_;
    std::shared_ptr<const link_list> links_ = std::make_shared<link_list>();
    std::set<std::string> expected_;  // whose hello has not come
    std::vector<std::shared_ptr<pending>> joining_;
    std::uint64_t missed_ = 0;  // by links that are gone
};

}  // namespace rondo::channels_detail
