// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include <rondo/base/clock.hpp>
#include <rondo/coro/ready_queue.hpp>

namespace rondo {

/// Which system interface a loop waits with. `automatic`: io_uring where the kernel allows what Rondo needs of it.
enum class backend_kind : std::uint8_t { automatic, epoll, io_uring };

/// A connected stream socket as a backend sees it. The calls come on the loop's thread; `this` may be closed in each
/// of them, but must not be destroyed before the backend returned to its turn (event_loop::defer does that).
class stream_socket {
public:
    explicit stream_socket(int fd) noexcept : fd_(fd) {}
    stream_socket(const stream_socket&) = delete;
    stream_socket& operator=(const stream_socket&) = delete;

    [[nodiscard]] int fd() const noexcept { return fd_; }

protected:
    ~stream_socket() = default;

    /// Input; `bytes` hold during the call, in which a reader may be resumed. With io_uring it may come without having
    /// been wanted.
    virtual void received(const loop_turn& turn, std::string_view bytes) noexcept = 0;
    /// No input comes any more: `error` is 0 at the end of the stream, else an errno.
    virtual void receive_ended(int error) noexcept = 0;
    /// The client shut its side down (`gone` false: it may still read) or is gone; once each, noticed while no input
    /// was wanted (what was sent before may not have been read). With io_uring not while input is paused or before it
    /// was wanted for the first time. `error`: an errno that a receive would have ended with and will not again, or 0.
    virtual void peer_closed(bool gone, int error) noexcept = 0;
    /// A send() that was pending is over: `result` is a number of bytes or a negative errno, `keep` what send() was
    /// given.
    virtual void sent(std::ptrdiff_t result, void* keep) noexcept = 0;
    /// What want_writable() waited for.
    virtual void writable() noexcept = 0;

private:
    friend class backend;
    friend class epoll_backend;
    friend class io_uring_backend;

    int fd_;
    bool wanted_ = false;          // input is waited for
    bool ready_ = false;           // epoll: the kernel may have input
    bool ended_ = false;           // epoll: the end of input was announced
    bool gone_ = false;            // epoll: both directions are shut
    bool watching_write_ = false;  // epoll: EPOLLOUT is on
    bool told_closed_ = false;     // epoll: the owner knows that no more input comes
    bool told_gone_ = false;       // epoll: the owner knows that the client is gone
    void* receiving_ = nullptr;    // io_uring: the armed receive; after the end of input the wait for the hang-up
    void* sending_ = nullptr;      // io_uring: the pending send
    void* writing_ = nullptr;      // io_uring: the armed wait for writability
};

/// A listening socket as a backend sees it.
class acceptor {
public:
    explicit acceptor(int fd) noexcept : fd_(fd) {}
    [[nodiscard]] int fd() const noexcept { return fd_; }

protected:
    ~acceptor() = default;
    /// A new connection; the callee owns the descriptor (close-on-exec).
    virtual void accepted(int fd) noexcept = 0;
    /// accept() failed with this errno; accepting goes on unless the callee stops it.
    virtual void accept_failed(int error) noexcept = 0;

private:
    friend class epoll_backend;
    friend class io_uring_backend;
    int fd_;
    void* accepting_ = nullptr;
};

/// Waits once for a descriptor that is not a stream_socket: POLLIN, POLLOUT. One wait at a time, and one per
/// descriptor; cancel it before the descriptor is closed and before this is destroyed.
class poll_operation {
public:
    poll_operation() = default;
    poll_operation(const poll_operation&) = delete;
    poll_operation& operator=(const poll_operation&) = delete;

protected:
    ~poll_operation() = default;
    /// `events`: POLL* bits, or POLLERR when the wait could not be made.
    virtual void polled(int events) noexcept = 0;

private:
    friend class epoll_backend;
    friend class io_uring_backend;
    int fd_ = -1;
    void* polling_ = nullptr;
};

/// What a loop asks of the kernel: a closed set of operations. io_uring offers them as they are, epoll emulates them.
/// Everything on the loop's thread except wake().
class backend {
public:
    virtual ~backend() = default;

    [[nodiscard]] virtual std::string_view name() const noexcept = 0;

    virtual void start_accepting(acceptor&) = 0;
    /// Connections that the kernel gave away already still come, during this call.
    virtual void stop_accepting(acceptor&) noexcept = 0;

    /// Begins to watch a socket (non-blocking or not; set to what the backend needs). Throws std::system_error.
    virtual void attach(stream_socket&) = 0;
    /// Ends everything pending without further calls and closes the descriptor.
    virtual void close(stream_socket&) noexcept = 0;
    /// Wants input until received() or receive_ended() is called.
    virtual void want_input(stream_socket&) noexcept = 0;
    /// No input is wanted for now: what the socket cannot take stays in the kernel. With io_uring what was on its way
    /// comes all the same.
    virtual void pause_input(stream_socket&) noexcept = 0;
    /// Sends what the kernel takes now. Returns the number of bytes, a negative errno (-EAGAIN: nothing fits), or
    /// `send_pending`: then `data` must hold until sent() is called with `keep`, even when the socket is closed before:
    /// then released(keep) is called. At most one send is pending per socket.
    [[nodiscard]] virtual std::ptrdiff_t send(stream_socket&, const char* data, std::size_t size,
                                              void* keep) noexcept = 0;
    static constexpr std::ptrdiff_t send_pending = PTRDIFF_MIN;
    /// Called for the `keep` of a send whose socket was closed meanwhile.
    void (*released)(void* keep) noexcept = nullptr;
    virtual void want_writable(stream_socket&) noexcept = 0;

    virtual void poll(poll_operation&, int fd, int events) = 0;
    /// Among the events of poll(): other processes wait for the same descriptor to be readable, and when all of them
    /// say so, what comes wakes the one that has waited longest. With io_uring that may be one whose loop is held.
    static constexpr int one_of_many = 1 << 28;
    virtual void cancel(poll_operation&) noexcept = 0;

    class turn_watcher {
    public:
        /// The waiting is over, the handling begins.
        virtual void waited() noexcept = 0;
        /// The next event is being handled.
        void handling() noexcept { doing_.enter(nullptr); }

    protected:
        explicit turn_watcher(activity& doing) noexcept : doing_(doing) {}
        ~turn_watcher() = default;

    private:
        activity& doing_;
    };
    /// Waits for at most `wait` (negative: without limit) and makes the calls of what happened.
    virtual void turn(std::chrono::nanoseconds wait, turn_watcher& watcher) = 0;

    /// Ends a waiting turn(), or the next one. Any thread, also a signal handler.
    virtual void wake() noexcept = 0;
};

/// Throws std::invalid_argument when the kernel does not offer what was asked for.
[[nodiscard]] std::unique_ptr<backend> make_backend(backend_kind kind);
/// Whether this kernel allows what the io_uring backend needs.
[[nodiscard]] bool io_uring_available() noexcept;

[[nodiscard]] std::unique_ptr<backend> make_epoll_backend();
[[nodiscard]] std::unique_ptr<backend> make_io_uring_backend();

}  // namespace rondo
