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
#include <rondo/channels/reply.hpp>

namespace rondo::channels_detail {

/// Settles when all of several operations are done.
class fan_in final : public pending {
public:
    void expect() noexcept { left_.fetch_add(1); }
    void done() {
        if (left_.fetch_sub(1) == 1) settle();
    }

private:
    std::atomic<std::size_t> left_{1};  // one for the creator
};

/// Header of a frame; the name and the bytes follow it.
struct frame_head {
    enum kind : std::uint32_t { hello = 1, message = 2, gap = 3 };
    std::uint32_t what = message;  // a frame_type
    std::uint32_t name_size = 0;
    std::uint64_t size = 0;
};

/// Sends messages to one other process. Nothing is received on its socket except the end of file.
class link final : poll_operation, public std::enable_shared_from_this<link> {
public:
    /// Unsent bytes beyond which messages to the process are dropped.
    static constexpr std::size_t unsent_limit = 64u << 20;

    link(io_thread& io, std::string peer_name, unique_fd socket);
    ~link();

    /// Sends from the calling thread as much as the kernel accepts at once; the rest is added to `completion`, created
    /// when needed.
    void send(const std::shared_ptr<const message_body>& body, std::shared_ptr<fan_in>& completion);
    /// Called when `completion` timed out: if frames of it are still unsent, further messages are dropped until all
    /// unsent frames are sent, and a gap frame is sent then. True when there were such frames.
    bool give_up(const fan_in& completion);

    /// Sends the own name; `before` runs first, under the same lock, so that nothing is sent in between.
    void begin(std::string_view own_name, const std::function<void()>& before);
    /// On the I/O thread: calls `on_closed` once, when the other process closes.
    void watch(std::function<void()> on_closed);
    /// On the I/O thread: closes the socket; pending sends count as done.
    void end() noexcept;

    [[nodiscard]] const std::string& to() const noexcept { return to_; }
    /// For messages: "process 4711".
    [[nodiscard]] std::string text() const;
    [[nodiscard]] std::uint64_t missed() const noexcept { return missed_.load(std::memory_order_relaxed); }

private:
    struct frame {
        frame_head head;
        std::shared_ptr<const message_body> body;
        std::size_t sent = 0;
        std::shared_ptr<fan_in> waits;  // null when nothing waits for it
    };
    struct retry : timer {
        explicit retry(link& sender) noexcept;
        link& owner;
    };
    void polled(int events) noexcept override;
    void watch_again() noexcept;  ///< requires the mutex
    void queue(frame f);
    void flush();
    bool send_some(frame& f);
    [[nodiscard]] static std::size_t size_of(const frame& f) noexcept;

    io_thread& io_;
    const std::string to_;
    const pid_t process_;
    std::mutex mutex_;
    unique_fd socket_;
    std::deque<frame> unsent_;
    std::size_t unsent_bytes_ = 0;
    bool lagging_ = false;
    bool polling_ = false;  // used on the I/O thread only
    retry again_;           // used on the I/O thread only
    bool asked_to_flush_ = false;
    std::atomic<std::uint64_t> missed_{0};
    std::function<void()> ended_;
};

/// Receives messages from one other process. The input is parsed defensively: any process of the same user may connect.
/// Invalid input closes the connection, and so does an exception of a callback.
class receiver final : poll_operation {
public:
    static constexpr std::uint32_t largest_member_name = 107;  // unix(7)

    struct sink {
        std::function<void(frame_head header, std::string_view name, std::string_view bytes)> arrived;
        std::function<void(receiver& self)> ended;  ///< may destroy the receiver
    };
    /// On the I/O thread.
    receiver(event_loop& loop, unique_fd socket, sink handlers);
    ~receiver();

private:
    void polled(int events) noexcept override;
    [[nodiscard]] std::ptrdiff_t read_some();
    /// Throw std::runtime_error for invalid input.
    void parse();
    void check(const frame_head& header) const;
    [[nodiscard]] bool receive();

    event_loop& loop_;
    unique_fd socket_;
    sink to_;
    std::string buffer_;
    bool greeted_ = false;
};

}  // namespace rondo::channels_detail
