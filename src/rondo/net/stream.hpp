// SPDX-License-Identifier: Apache-2.0
// A connected byte stream on an event loop.
// Implemented in stream.cpp and, for streams with a filter, stream_filter.cpp.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <rondo/base/unique_fd.hpp>
#include <rondo/coro/task.hpp>
#include <rondo/loop/backend.hpp>
#include <rondo/net/output.hpp>
#include <rondo/net/stream_filter.hpp>

namespace rondo::net {

/// How a wait for input ended.
enum class input_event : std::uint8_t {
    more,         ///< input() grew
    end,          ///< end of the stream: the peer sends no more
    failed,       ///< the connection failed
    interrupted,  ///< interrupt() was called
};

/// A connected byte stream (TCP or unix, plain or through a filter) on a loop. Use on the loop's thread only, with one
/// reader and one writer at a time. An idle stream holds no buffer: input is read into memory of the loop and copied
/// only when it must outlive the turn, output goes through net::output_buffer. Derive from it to learn that the peer
/// closed the connection while no task reads. Destroy it from event_loop::defer, never within one of its callbacks.
///
/// Calls on it never run other code: a woken reader or writer resumes from the ready queue, and on_peer_closed() is
/// called in a turn of the loop. After a failed send, input received before is still readable.
class stream : public stream_socket {
public:
    /// Pending output above which writers should wait for drained().
    static constexpr std::size_t high_water = 64 * 1024;
    /// Unread input buffered while no task reads; beyond it, TCP flow control stops the sender.
    static constexpr std::size_t unread_limit = 64 * 1024;

    /// Throws std::system_error when the socket cannot be registered with the loop.
    stream(output& out, unique_fd fd);
    virtual ~stream();

    /// The unconsumed input. Valid until the calling coroutine suspends; see buffer_input().
    [[nodiscard]] std::string_view input() const noexcept {
        return held_ ? std::string_view(held_->bytes.get() + held_->at, held_->size - held_->at) : passing_;
    }
    /// The same, writable for decoding in place.
    [[nodiscard]] std::span<char> input_in_place() noexcept {
        const std::string_view in = input();
        return {const_cast<char*>(in.data()), in.size()};
    }
    void consume(std::size_t size) noexcept;
    /// Copies the input to a buffer of the stream: views of input() then stay valid until the next receive().
    void hold_input();

    /// Waits for more input. `co_await s.receive()` returns an input_event.
    class receive_awaiter;
    [[nodiscard]] receive_awaiter receive() noexcept;
    /// True when the peer sends no more; input() may still hold earlier bytes.
    [[nodiscard]] bool input_ended() const noexcept { return input_ended_; }

    /// True when there is unconsumed input, here or in the kernel.
    [[nodiscard]] bool unread() const noexcept;

    /// Returns memory for `size` bytes of output, at most output_buffer::block_size; commit() the bytes written.
    [[nodiscard]] char* reserve(std::size_t size) { return out_.reserve(*this, size); }
    void commit(std::size_t size) noexcept { out_.commit(size); }
    /// Queues a copy.
    void write(std::string_view bytes);
    /// Bytes corked in this turn, not sent yet. truncate_corked() discards all but the first `keep` of them.
    [[nodiscard]] std::size_t corked() const noexcept { return out_.corked(*this); }
    void drop_corked(std::size_t keep) noexcept { out_.drop(*this, keep); }
    /// Number of flushes so far: while it is unchanged, truncate_corked() can undo the writes since.
    [[nodiscard]] std::uint32_t flushes() const noexcept { return flushes_; }
    /// Sends corked output now instead of at the end of the turn.
    void flush() noexcept { out_.flush(*this); }
    /// Bytes of output not yet passed to the kernel.
    [[nodiscard]] std::size_t backlog() const noexcept;

    /// Waits until all output is passed to the kernel. Returns false when the connection failed or after interrupt().
    class drained_awaiter;
    [[nodiscard]] drained_awaiter drained() noexcept;

    /// Sends without copying; `bytes` must stay valid until it completes. Returns false like drained().
    [[nodiscard]] task<bool> write_all(std::string_view bytes);
    /// Sends a part of a file, reading it on the loop's blocking pool. Returns false like drained(), or when the file
    /// ends early.
    [[nodiscard]] task<bool> write_file(int file, std::uint64_t offset, std::uint64_t size);

    /// Wakes the reader and the writer; further waits return immediately. For time-outs and cancellation.
    void interrupt() noexcept;
    /// Undoes interrupt(), to send a final message to the peer.
    void clear_interrupt() noexcept { interrupted_ = false; }

    /// Installs a filter (TLS) and starts its handshake. Nothing may be written until filter()->current_state() is
    /// `open`; receive() wakes when the handshake completes or fails. With a filter write_all() and write_file() copy.
    /// Throws unread_input_error, without effect, when input() is not empty.
    void filter_with(std::unique_ptr<stream_filter> filter);
    /// Null for a plain stream.
    [[nodiscard]] const stream_filter* filter() const noexcept { return filter_.get(); }

    /// Sends a FIN after all pending output.
    void shutdown_output() noexcept;
    /// Discards unsent output and closes; with `reset` the peer gets an RST.
    void close(bool reset = false) noexcept;

    /// True when nothing more can be sent; input may still be readable.
    [[nodiscard]] bool failed() const noexcept { return failed_; }
    [[nodiscard]] bool is_open() const noexcept { return fd() >= 0; }
    /// Bytes acknowledged by the peer's kernel so far. Shows whether a slow reader makes progress, unlike the bytes
    /// passed to our kernel, whose buffer may hold megabytes.
    [[nodiscard]] std::uint64_t bytes_taken() const noexcept;
    [[nodiscard]] event_loop& loop() const noexcept { return out_.loop(); }

protected:
    /// Called while no task reads, when the peer shut down its sending half (`fully_closed` false: it may still read)
    /// or closed the connection.
    virtual void left(bool fully_closed) noexcept { (void)fully_closed; }

private:
    friend class output;
    class waiting;
    class room_awaiter;

    struct held_input {
        std::unique_ptr<char[]> bytes;
        std::unique_ptr<char[]> lent;  // outgrown, but views of it may still be in use
        std::size_t at = 0;
        std::size_t size = 0;
        std::size_t capacity = 0;
    };
    struct held_output {
        std::string bytes;
        std::size_t at = 0;
    };

    void received(const loop_turn& turn, std::string_view bytes) noexcept override;
    void receive_ended(int error) noexcept override;
    void peer_closed(bool fully_closed, int error) noexcept override;
    void sent(std::ptrdiff_t result, void* block) noexcept override;
    void writable() noexcept override;

    /// Sends or queues the data. Returns true when the kernel uses `data` until sent().
    [[nodiscard]] bool push(const char* data, std::size_t size, void* block) noexcept;
    void deliver(const loop_turn& turn, std::string_view bytes) noexcept;
    void end_input(int error) noexcept;
    void hold(std::string_view bytes);
    void hold_output(std::string_view bytes);
    void send_held() noexcept;
    void all_sent() noexcept;
    /// Returns the bytes sent now; 0 when the kernel accepts none or output has failed.
    [[nodiscard]] std::size_t send_now(std::string_view bytes) noexcept;
    void receive_filtered(const loop_turn& turn, std::string_view bytes) noexcept;
    void push_filtered(std::string_view bytes) noexcept;
    void send_wire(std::string_view wire) noexcept;
    void end_filtered() noexcept;
    [[nodiscard]] task<bool> write_all_filtered(std::string_view bytes);
    [[nodiscard]] task<bool> write_file_filtered(int file, std::uint64_t offset, std::uint64_t size);
    /// Marks the output as failed.
    void fail_output(int error) noexcept;
    /// Called at the end of the turn: reports failed output to the owner when no task reads.
    void report_failure() noexcept;
    void report_gone() noexcept;
    void forget_reader() noexcept;
    void wake_reader(input_event event) noexcept;
    void wake_writer() noexcept;

    output& out_;
    std::string_view passing_;  // input in the loop's memory, during received()
    std::unique_ptr<held_input> held_;
    std::unique_ptr<held_output> unsent_;
    std::unique_ptr<stream_filter> filter_;
    waiting* reader_ = nullptr;
    waiting* writer_ = nullptr;
    const char* sending_ = nullptr;  // what the kernel is sending from
    std::uint64_t bytes_sent_ = 0;
    std::uint32_t sending_size_ = 0;
    std::uint32_t flushes_ = 0;
    input_event event_ = input_event::more;
    bool input_ended_ : 1 = false;
    bool input_failed_ : 1 = false;
    bool input_paused_ : 1 = false;
    bool failed_ : 1 = false;
    bool was_reset_ : 1 = false;      // the end of input is due to a reset
    bool unreported_ : 1 = false;     // in the output buffer's list of failed streams
    bool reported_gone_ : 1 = false;  // by a failed send or by the kernel; once only
    bool interrupted_ : 1 = false;
    bool shutting_down_ : 1 = false;  // send a FIN after the unsent output
};

/// One coroutine that waits for a stream; lives in its frame.
class stream::waiting : public ready_node {
public:
    waiting(const waiting&) = delete;
    waiting& operator=(const waiting&) = delete;

    /// Stops waiting: the coroutine resumes for another reason, or is destroyed.
    void forget() noexcept {
        if (stream_.reader_ == this) stream_.forget_reader();
        if (stream_.writer_ == this) stream_.writer_ = nullptr;
        release();
    }

protected:
    explicit waiting(stream& s) noexcept : stream_(s) {}
    ~waiting() {
        if (holds()) forget();
    }

    stream& stream_;
};

class [[nodiscard]] stream::receive_awaiter : public waiting {
public:
    explicit receive_awaiter(stream& s) noexcept : waiting(s) {}
    [[nodiscard]] bool await_ready() const noexcept {
        if (stream_.interrupted_) stream_.event_ = input_event::interrupted;
        else if (stream_.input_failed_) stream_.event_ = input_event::failed;
        else stream_.event_ = stream_.input_ended_ ? input_event::end : input_event::more;
        return stream_.event_ != input_event::more;
    }
    void await_suspend(std::coroutine_handle<> caller) noexcept {
        hold(caller, nullptr);
        stream_.reader_ = this;
        stream_.loop().io().want_input(stream_);
    }
    /// The event that woke it, even if others have happened since.
    [[nodiscard]] input_event await_resume() const noexcept { return stream_.event_; }
};

inline stream::receive_awaiter stream::receive() noexcept { return receive_awaiter(*this); }

class [[nodiscard]] stream::drained_awaiter : public waiting {
public:
    explicit drained_awaiter(stream& s) noexcept : waiting(s) {}
    [[nodiscard]] bool await_ready() const noexcept {
        stream_.flush();
        return stream_.backlog() == 0 || stream_.failed_ || stream_.interrupted_;
    }
    void await_suspend(std::coroutine_handle<> caller) noexcept {
        hold(caller, nullptr);
        stream_.writer_ = this;
    }
    [[nodiscard]] bool await_resume() const noexcept { return !stream_.failed_ && !stream_.interrupted_; }
};

inline stream::drained_awaiter stream::drained() noexcept { return drained_awaiter(*this); }

}  // namespace rondo::net
