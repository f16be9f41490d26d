// SPDX-License-Identifier: Apache-2.0
// The interface between the event loop and the kernel: sockets, accepting, polling.
// Implemented in backend.cpp, epoll_backend.cpp and io_uring_backend.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include <rondo/base/clock.hpp>
#include <rondo/coro/ready_queue.hpp>

namespace rondo {

/// The system interface of a loop. `automatic`: io_uring where the kernel allows what Rondo needs, else epoll.
enum class backend_kind : std::uint8_t { automatic, epoll, io_uring };

/// A connected stream socket as seen by a backend. Its callbacks are called on the loop's thread; each of them may
/// close the socket, but must not destroy it before the backend has returned to its turn (event_loop::defer does that).
class stream_socket {
public:
    explicit stream_socket(int fd) noexcept : fd_(fd) {}
    stream_socket(const stream_socket&) = delete;
    stream_socket& operator=(const stream_socket&) = delete;

    [[nodiscard]] int fd() const noexcept { return fd_; }

protected:
    ~stream_socket() = default;

    /// Input arrived; `bytes` are valid during the call, which may resume a reader. With io_uring it may arrive without
    /// a request.
    virtual void received(const loop_turn& turn, std::string_view bytes) noexcept = 0;
    /// The input has ended: `error` is 0 at the end of the stream, else an errno.
    virtual void receive_ended(int error) noexcept = 0;
    /// The peer shut down its side (`reset` false: it may still read), or closed or reset the whole connection. Called
    /// once for each, while no input is requested (earlier input may be unread). With io_uring not while input is
    /// paused or before its first request. `error`: the errno that a receive would have failed with and no later one
    /// will, or 0.
    virtual void peer_closed(bool reset, int error) noexcept = 0;
    /// A pending send() has ended: `result` is a number of bytes or a negative errno, `buffer_owner` the argument of
    /// send().
    virtual void sent(std::ptrdiff_t result, void* buffer_owner) noexcept = 0;
    /// The socket is writable, after request_writable().
    virtual void writable() noexcept = 0;

private:
    friend class backend;
    friend class epoll_backend;
    friend class io_uring_backend;

    int fd_;
    bool input_requested_ = false;       // input is requested
    bool readable_ = false;              // epoll: the kernel may have input
    bool input_ended_ = false;           // epoll: the end of input was reported by the kernel
    bool hung_up_ = false;               // epoll: both directions are closed
    bool watching_writable_ = false;     // epoll: EPOLLOUT is set
    bool end_reported_ = false;          // epoll: the end of input was reported to the owner
    bool hang_up_reported_ = false;      // epoll: the close of both directions was reported to the owner
    void* receive_operation_ = nullptr;  // io_uring: the armed receive; after the end of input the poll for the hang-up
    void* send_operation_ = nullptr;     // io_uring: the pending send
    void* writable_operation_ = nullptr;  // io_uring: the armed poll for writability
};

/// A listening socket as seen by a backend.
class acceptor {
public:
    explicit acceptor(int fd) noexcept : fd_(fd) {}
    [[nodiscard]] int fd() const noexcept { return fd_; }

protected:
    ~acceptor() = default;
    /// A new connection; the callee owns the descriptor (close-on-exec).
    virtual void accepted(int fd) noexcept = 0;
    /// accept() failed with this errno; accepting continues unless the callee stops it.
    virtual void accept_failed(int error) noexcept = 0;

private:
    friend class epoll_backend;
    friend class io_uring_backend;
    int fd_;
    void* accepting_ = nullptr;
};

/// A one-shot wait for a descriptor that is not a stream_socket: POLLIN, POLLOUT. One wait at a time, and one per
/// descriptor; cancel it before the descriptor is closed and before this object is destroyed.
class poll_operation {
public:
    poll_operation() = default;
    poll_operation(const poll_operation&) = delete;
    poll_operation& operator=(const poll_operation&) = delete;

protected:
    ~poll_operation() = default;
    /// `events`: POLL* bits, or POLLERR when the wait could not be armed.
    virtual void polled(int events) noexcept = 0;

private:
    friend class epoll_backend;
    friend class io_uring_backend;
    int fd_ = -1;
    void* polling_ = nullptr;
};

/// A persistent, level-triggered watch of a descriptor that is not a stream_socket. Unwatch it before it is destroyed,
/// and before the descriptor is closed. If other code closes the descriptor first, which events are reported until then
/// is unspecified: io_uring keeps the file open, and may watch another file that gets the same number.
class descriptor_watch {
public:
    descriptor_watch() = default;
    descriptor_watch(const descriptor_watch&) = delete;
    descriptor_watch& operator=(const descriptor_watch&) = delete;

protected:
    ~descriptor_watch() = default;
    /// Called in each turn as long as one of the events lasts. `events`: the watched ones of POLLIN and POLLOUT, and
    /// POLLERR and POLLHUP, which are always watched. May change, end or start any watch, also this one, and may
    /// destroy this one once it is unwatched.
    virtual void ready(int events) noexcept = 0;

private:
    friend class epoll_backend;
    friend class io_uring_backend;
    int fd_ = -1;
    int events_ = 0;
    void* polling_ = nullptr;  // epoll: the data of its events; io_uring: the armed poll
};

/// The operations that a loop needs from the kernel. io_uring provides them directly, epoll emulates them.
/// Everything is called on the loop's thread except wake().
class backend {
public:
    virtual ~backend() = default;

    [[nodiscard]] virtual std::string_view name() const noexcept = 0;

    virtual void start_accepting(acceptor&) = 0;
    /// Connections that the kernel has already accepted are delivered during this call.
    virtual void stop_accepting(acceptor&) noexcept = 0;

    /// Starts watching a socket, which may be blocking or non-blocking. Throws std::system_error.
    virtual void attach(stream_socket&) = 0;
    /// Cancels all pending operations without further callbacks and closes the descriptor.
    virtual void close(stream_socket&) noexcept = 0;
    /// Requests input, until received() or receive_ended() is called.
    virtual void request_input(stream_socket&) noexcept = 0;
    /// Withdraws the request: further input stays in the kernel. With io_uring, input that was already received is
    /// still delivered.
    virtual void pause_input(stream_socket&) noexcept = 0;
    /// Sends as much as the kernel accepts now. Returns the number of bytes, a negative errno (-EAGAIN: the send buffer
    /// is full), or `send_pending`: then `data` must stay valid until sent() is called with `buffer_owner`, or, if the
    /// socket is closed first, until on_released(buffer_owner) is called. At most one send is pending per socket.
    [[nodiscard]] virtual std::ptrdiff_t send(stream_socket&, const char* data, std::size_t size,
                                              void* buffer_owner) noexcept = 0;
    static constexpr std::ptrdiff_t send_pending = PTRDIFF_MIN;
    /// Called when a send has ended whose socket was closed before.
    void (*on_released)(void* buffer_owner) noexcept = nullptr;
    virtual void request_writable(stream_socket&) noexcept = 0;

    virtual void poll(poll_operation&, int fd, int events) = 0;
    /// Flag for the events of poll() (EPOLLEXCLUSIVE): when all processes that wait for the same descriptor set it, an
    /// event wakes only the one that has waited longest. With io_uring that may be one whose loop is blocked.
    static constexpr int exclusive = 1 << 28;
    virtual void cancel(poll_operation&) noexcept = 0;

    /// Starts watching for `events`: POLLIN, POLLOUT, both, or 0. Throws std::system_error and then has no effect:
    /// EBADF, EEXIST when the watch is in use; epoll only: EPERM for a regular file, EEXIST when the descriptor is
    /// already watched.
    virtual void watch(descriptor_watch&, int fd, int events) = 0;
    /// Changes the watched events. Throws std::system_error and then has no effect: EBADF or ENOENT when the descriptor
    /// was closed or is not watched.
    virtual void change_watch(descriptor_watch&, int events) = 0;
    /// Ends a watch: ready() is not called any more, not even in this turn. Does nothing when it is not in use.
    virtual void unwatch(descriptor_watch&) noexcept = 0;

    class turn_watcher {
    public:
        /// The wait has ended and event handling starts.
        virtual void on_wait_end() noexcept = 0;
        /// The next event is about to be handled.
        void on_event() noexcept { activity_.enter(nullptr); }

    protected:
        explicit turn_watcher(thread_activity& activity) noexcept : activity_(activity) {}
        ~turn_watcher() = default;

    private:
        thread_activity& activity_;
    };
    /// Waits for at most `wait` (negative: without limit) and calls the callbacks of all events.
    virtual void turn(std::chrono::nanoseconds wait, turn_watcher& watcher) = 0;
    /// Returns true when the next turn() will not wait, because events are left from the last one.
    [[nodiscard]] virtual bool has_events() const noexcept = 0;
    /// Returns a descriptor that is readable when turn() would find an event in the kernel (see also has_events()), or
    /// -1 when the backend has none.
    [[nodiscard]] virtual int descriptor() const noexcept = 0;

    /// Interrupts the wait of the current turn(), or of the next one. Any thread; async-signal-safe.
    virtual void wake() noexcept = 0;

    /// See event_loop::abandon_after_fork().
    virtual void abandon_after_fork() noexcept = 0;
};

/// Throws std::invalid_argument when the kernel does not provide the requested backend.
[[nodiscard]] std::unique_ptr<backend> make_backend(backend_kind kind);
/// Returns whether this kernel allows what the io_uring backend needs.
[[nodiscard]] bool io_uring_available() noexcept;

[[nodiscard]] std::unique_ptr<backend> make_epoll_backend();
[[nodiscard]] std::unique_ptr<backend> make_io_uring_backend();

}  // namespace rondo
