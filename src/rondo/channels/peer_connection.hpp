// SPDX-License-Identifier: Apache-2.0
// The message connection between two worker processes: sender, receiver and frame format.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include <sys/types.h>

#include <rondo/base/unique_fd.hpp>
#include <rondo/channels/io_thread.hpp>
#include <rondo/channels/message.hpp>
#include <rondo/channels/pending_result.hpp>

namespace rondo::channels_detail {

/// Settles when all of several operations are done.
class wait_group final : public pending {
public:
    void add() noexcept { remaining_.fetch_add(1); }
    void done() {
        if (remaining_.fetch_sub(1) == 1) settle();
    }

private:
    std::atomic<std::size_t> remaining_{1};  // one for the creator
};

/// Header of a frame; the name and the bytes follow it.
struct frame_header {
    enum frame_type : std::uint32_t { hello = 1, message = 2, gap = 3 };
    std::uint32_t type = message;  // a frame_type
    std::uint32_t name_size = 0;
    std::uint64_t size = 0;
};

/// Sends messages to one other process. Nothing is received on its socket except the end of file.
class peer_sender final : poll_operation, public std::enable_shared_from_this<peer_sender> {
public:
    /// Unsent bytes beyond which messages to the process are dropped.
    static constexpr std::size_t unsent_limit = 64u << 20;

    peer_sender(io_thread& io, std::string peer_name, unique_fd socket);
    ~peer_sender();

    /// Sends from the calling thread as much as the kernel accepts at once; the rest is added to `completion`, created
    /// when needed.
    void send(const std::shared_ptr<const message_body>& body, std::shared_ptr<wait_group>& completion);
    /// Called when `completion` timed out: if frames of it are still unsent, further messages are dropped until all
    /// unsent frames are sent, and a gap frame is sent then. True when there were such frames.
    bool drop_if_unsent(const wait_group& completion);

    /// Sends the own name; `before` runs first, under the same lock, so that nothing is sent in between.
    void send_hello(std::string_view own_name, const std::function<void()>& before);
    /// On the I/O thread: calls `on_closed` once, when the other process closes.
    void start_watching(std::function<void()> on_closed);
    /// On the I/O thread: closes the socket; pending sends count as done.
    void close() noexcept;

    [[nodiscard]] const std::string& peer_name() const noexcept { return peer_name_; }
    /// For messages: "process 4711".
    [[nodiscard]] std::string text() const;
    [[nodiscard]] std::uint64_t missed() const noexcept { return missed_.load(std::memory_order_relaxed); }

private:
    struct frame {
        frame_header header;
        std::shared_ptr<const message_body> body;
        std::size_t sent = 0;
        std::shared_ptr<wait_group> completion;  // null when nothing waits for it
    };
    struct poll_retry : timer {
        explicit poll_retry(peer_sender& sender) noexcept;
        peer_sender& owner;
    };
    void polled(int events) noexcept override;
    void update_poll() noexcept;  ///< requires the mutex
    void enqueue(frame f);
    void flush();
    bool try_send(frame& f);
    [[nodiscard]] static std::size_t size_of(const frame& f) noexcept;

    io_thread& io_;
    const std::string peer_name_;
    const pid_t pid_;
    std::mutex mutex_;
    unique_fd socket_;
    std::deque<frame> unsent_;
    std::size_t unsent_bytes_ = 0;
    bool lagging_ = false;
    bool polling_ = false;    // used on the I/O thread only
    poll_retry retry_timer_;  // used on the I/O thread only
    bool flush_scheduled_ = false;
    std::atomic<std::uint64_t> missed_{0};
    std::function<void()> on_closed_;
};

/// Receives messages from one other process. The input is parsed defensively: any process of the same user may connect.
/// Invalid input closes the connection, and so does an exception of a callback.
class peer_receiver final : poll_operation {
public:
    static constexpr std::uint32_t max_peer_name = 107;  // unix(7)

    struct event_handlers {
        std::function<void(frame_header header, std::string_view name, std::string_view bytes)> on_frame;
        std::function<void(peer_receiver& self)> on_closed;  ///< may destroy the receiver
    };
    /// On the I/O thread.
    peer_receiver(event_loop& loop, unique_fd socket, event_handlers handlers);
    ~peer_receiver();

private:
    void polled(int events) noexcept override;
    [[nodiscard]] std::ptrdiff_t read_some();
    /// Throw std::runtime_error for invalid input.
    void parse();
    void validate(const frame_header& header) const;
    [[nodiscard]] bool receive();

    event_loop& loop_;
    unique_fd socket_;
    event_handlers handlers_;
    std::string buffer_;
    bool hello_received_ = false;
};

}  // namespace rondo::channels_detail
