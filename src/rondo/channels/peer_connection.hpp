// SPDX-License-Identifier: Apache-2.0
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

/// Settles when all of several did.
class fan_in final : public pending {
public:
    void expect() noexcept { left_.fetch_add(1); }
    void done() {
        if (left_.fetch_sub(1) == 1) settle();
    }

private:
    std::atomic<std::size_t> left_{1};  // who made it
};

/// What goes over a link: a head, the name, the bytes.
struct frame_head {
    enum kind : std::uint32_t { hello = 1, message = 2, gap = 3 };
    std::uint32_t what = message;  // a kind
    std::uint32_t name_size = 0;
    std::uint64_t size = 0;
};

/// One direction between two processes: messages go out, nothing comes back but the end.
class link final : poll_operation, public std::enable_shared_from_this<link> {
public:
    /// Unsent bytes beyond which a process counts as stuck.
    static constexpr std::size_t unsent_limit = 64u << 20;

    link(io_thread& io, std::string to, unique_fd socket);
    ~link();

    /// Sends from the calling thread what the kernel takes at once; for the rest `waits` (made when needed) expects it.
    void send(const std::shared_ptr<const message_body>& body, std::shared_ptr<fan_in>& waits);
    /// The other process did not take what `waits` waits for in time: it gets no more until it took all that waits for
    /// it, and then learns that it missed something. True when there was such.
    bool give_up(const fan_in& waits);

    /// Says who we are; `before` runs first, so that nothing is sent between the two.
    void begin(std::string_view own_name, const std::function<void()>& before);
    /// On the I/O thread: notices the end of the other process and tells it once.
    void watch(std::function<void()> ended);
    /// On the I/O thread: closes; who waits goes on.
    void end() noexcept;

    [[nodiscard]] const std::string& to() const noexcept { return to_; }
    /// "process 4711", for messages.
    [[nodiscard]] std::string text() const;
    [[nodiscard]] std::uint64_t missed() const noexcept { return missed_.load(std::memory_order_relaxed); }

private:
    struct frame {
        frame_head head;
        std::shared_ptr<const message_body> body;
        std::size_t sent = 0;
        std::shared_ptr<fan_in> waits;
    };
    struct retry : timer {
        explicit retry(link& l) noexcept;
        link& owner;
    };
    void polled(int events) noexcept override;
    void watch_again() noexcept;  ///< with the mutex
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
    bool polling_ = false;  // the I/O thread's
    retry again_;           // and so is this
    bool asked_to_flush_ = false;
    std::atomic<std::uint64_t> missed_{0};
    std::function<void()> ended_;
};

/// The other end: what arrives. It is parsed as what a client sends: a process of the same user may be anything. What
/// is not valid ends the connection, and so does an exception of the sink.
class receiver final : poll_operation {
public:
    static constexpr std::uint32_t largest_member_name = 107;  // unix(7)

    struct sink {
        std::function<void(frame_head head, std::string_view name, std::string_view bytes)> arrived;
        std::function<void(receiver& self)> ended;  ///< may destroy it
    };
    /// On the I/O thread.
    receiver(event_loop& loop, unique_fd socket, sink to);
    ~receiver();

private:
    void polled(int events) noexcept override;
    [[nodiscard]] std::ptrdiff_t read_some();
    /// Both throw std::runtime_error for what is not valid.
    void parse();
    void check(const frame_head& head) const;
    [[nodiscard]] bool receive();

    event_loop& loop_;
    unique_fd socket_;
    sink to_;
    std::string buffer_;
    bool greeted_ = false;
};

}  // namespace rondo::channels_detail
