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
#include <rondo/net/output_buffer.hpp>
#include <rondo/net/stream_filter.hpp>

namespace rondo::net {

/// How a wait for input ended.
enum class input_event : std::uint8_t {
    data,         ///< input() grew
    end,          ///< end of the stream: the peer has shut down its sending side
    failed,       ///< the connection failed
    interrupted,  ///< interrupt() was called
};

/// A connected byte stream (TCP or unix, plain or through a filter) on a loop. Use on the loop's thread only, with one
/// reader and one writer at a time. An idle stream holds no buffer: input is read into memory of the loop and copied
/// only when it must outlive the turn, output goes through net::output_buffer. Derive from it to be notified when the
/// peer closes the connection while no task reads. Destroy it from event_loop::defer, never within one of its
/// callbacks.
///
/// Calls on it never run other code: a woken reader or writer resumes from the ready queue, and on_peer_closed() is
/// called in a turn of the loop. After a failed send, input received before is still readable.
class stream : public stream_socket {
public:
    /// Pending output above which writers should wait for drained().
    static constexpr std::size_t high_water = 64 * 1024;
    /// Unread input buffered while no task reads; beyond it, TCP flow control stops the sender.
    static constexpr std::size_t max_unread_input = 64 * 1024;

    /// Throws std::system_error when the socket cannot be registered with the loop.
    stream(output_buffer& out, unique_fd fd);
    virtual ~stream();

    /// The unconsumed input. Valid until the calling coroutine suspends; see buffer_input().
    [[nodiscard]] std::string_view input() const noexcept {
        return buffered_
                   ? std::string_view(buffered_->bytes.get() + buffered_->offset, buffered_->size - buffered_->offset)
                   : transient_;
    }
    /// The same, writable for decoding in place.
    [[nodiscard]] std::span<char> mutable_input() noexcept {
        const std::string_view in = input();
        return {const_cast<char*>(in.data()), in.size()};
    }
    void consume(std::size_t size) noexcept;
    /// Copies the input to a buffer of the stream: views of input() then stay valid until the next receive().
    void buffer_input();

    /// Waits for more input. `co_await s.receive()` returns an input_event.
    class receive_awaiter;
    [[nodiscard]] receive_awaiter receive() noexcept;
    /// True once the peer has shut down its sending side; input() may still hold earlier bytes.
    [[nodiscard]] bool input_ended() const noexcept { return input_ended_; }

    /// True when there is unconsumed input, here or in the kernel.
    [[nodiscard]] bool has_unread_input() const noexcept;

    /// Returns memory for `size` bytes of output, at most output_buffer::block_size; commit() the bytes written.
    [[nodiscard]] char* reserve(std::size_t size) { return out_.reserve(*this, size); }
    void commit(std::size_t size) noexcept { out_.commit(size); }
    /// Queues a copy.
    void write(std::string_view bytes);
    /// Bytes corked in this turn, not sent yet. truncate_corked() discards all but the first `keep` of them.
    [[nodiscard]] std::size_t corked() const noexcept { return out_.corked(*this); }
    void truncate_corked(std::size_t keep) noexcept { out_.truncate(*this, keep); }
    /// Number of flushes so far: while it is unchanged, truncate_corked() can undo the writes since.
    [[nodiscard]] std::uint32_t flush_count() const noexcept { return flush_count_; }
    /// Sends corked output now instead of at the end of the turn.
    void flush() noexcept { out_.flush(*this); }
    /// Bytes of output not yet passed to the kernel.
    [[nodiscard]] std::size_t unsent_bytes() const noexcept;

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
    void set_filter(std::unique_ptr<stream_filter> filter);
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
    [[nodiscard]] std::uint64_t bytes_acknowledged() const noexcept;
    [[nodiscard]] event_loop& loop() const noexcept { return out_.loop(); }

protected:
    /// Called while no task reads, when the peer shut down its sending half (`fully_closed` false: it may still read)
    /// or closed the connection.
    virtual void on_peer_closed(bool fully_closed) noexcept { (void)fully_closed; }

private:
    friend class output_buffer;
    class waiter;
    class writable_awaiter;

    struct buffered_input {
        std::unique_ptr<char[]> bytes;
        std::unique_ptr<char[]> previous_bytes;  // the previous buffer: views of it may still be in use
        std::size_t offset = 0;
        std::size_t size = 0;
        std::size_t capacity = 0;
    };
    struct queued_output {
        std::string bytes;
        std::size_t offset = 0;
    };

    void received(const loop_turn& turn, std::string_view bytes) noexcept override;
    void receive_ended(int error) noexcept override;
    void peer_closed(bool fully_closed, int error) noexcept override;
    void sent(std::ptrdiff_t result, void* block) noexcept override;
    void writable() noexcept override;

    /// Sends or queues the data. Returns true when the kernel uses `data` until sent().
    [[nodiscard]] bool send_or_queue(const char* data, std::size_t size, void* block) noexcept;
    void deliver(const loop_turn& turn, std::string_view bytes) noexcept;
    void end_input(int error) noexcept;
    void append_input(std::string_view bytes);
    void queue_output(std::string_view bytes);
    void send_queued() noexcept;
    void on_all_sent() noexcept;
    /// Returns the bytes sent now; 0 when the kernel accepts none or output has failed.
    [[nodiscard]] std::size_t send_now(std::string_view bytes) noexcept;
    void receive_filtered(const loop_turn& turn, std::string_view bytes) noexcept;
    void send_filtered(std::string_view bytes) noexcept;
    void send_wire(std::string_view wire) noexcept;
    void shutdown_filter() noexcept;
    [[nodiscard]] task<bool> write_all_filtered(std::string_view bytes);
    [[nodiscard]] task<bool> write_file_filtered(int file, std::uint64_t offset, std::uint64_t size);
    /// Marks the output as failed.
    void fail_output(int error) noexcept;
    /// Called at the end of the turn: reports failed output to the owner when no task reads.
    void report_failure() noexcept;
    void report_peer_closed() noexcept;
    void clear_reader() noexcept;
    void wake_reader(input_event event) noexcept;
    void wake_writer() noexcept;

    output_buffer& out_;
    std::string_view transient_;  // input in the loop's memory, during received()
    std::unique_ptr<buffered_input> buffered_;
    std::unique_ptr<queued_output> unsent_;
    std::unique_ptr<stream_filter> filter_;
    waiter* reader_ = nullptr;
    waiter* writer_ = nullptr;
    const char* sending_ = nullptr;  // what the kernel is sending from
    std::uint64_t bytes_sent_ = 0;
    std::uint32_t sending_size_ = 0;
    std::uint32_t flush_count_ = 0;
    input_event event_ = input_event::data;
    bool input_ended_ : 1 = false;
    bool input_failed_ : 1 = false;
    bool input_paused_ : 1 = false;
    bool failed_ : 1 = false;
    bool was_reset_ : 1 = false;             // the end of input is due to a reset
    bool failure_pending_ : 1 = false;       // in the output buffer's list of failed streams
    bool peer_closed_reported_ : 1 = false;  // by a failed send or by the kernel; once only
    bool interrupted_ : 1 = false;
    bool shutting_down_ : 1 = false;  // send a FIN after the unsent output
};

/// One coroutine that waits for a stream; lives in its frame.
class stream::waiter : public ready_node {
public:
    waiter(const waiter&) = delete;
    waiter& operator=(const waiter&) = delete;

    /// Stops waiting: the coroutine resumes for another reason, or is destroyed.
    void cancel() noexcept {
        if (stream_.reader_ == this) stream_.clear_reader();
        if (stream_.writer_ == this) stream_.writer_ = nullptr;
        clear_coroutine();
    }

protected:
    explicit waiter(stream& s) noexcept : stream_(s) {}
    ~waiter() {
        if (has_coroutine()) cancel();
    }

    stream& stream_;
};

class [[nodiscard]] stream::receive_awaiter : public waiter {
public:
    explicit receive_awaiter(stream& s) noexcept : waiter(s) {}
    [[nodiscard]] bool await_ready() const noexcept {
        if (stream_.interrupted_) stream_.event_ = input_event::interrupted;
        else if (stream_.input_failed_) stream_.event_ = input_event::failed;
        else stream_.event_ = stream_.input_ended_ ? input_event::end : input_event::data;
        return stream_.event_ != input_event::data;
    }
    void await_suspend(std::coroutine_handle<> caller) noexcept {
        set_coroutine(caller, nullptr);
        stream_.reader_ = this;
        stream_.loop().io().request_input(stream_);
    }
    /// The event that woke it, even if others have happened since.
    [[nodiscard]] input_event await_resume() const noexcept { return stream_.event_; }
};

inline stream::receive_awaiter stream::receive() noexcept { return receive_awaiter(*this); }

class [[nodiscard]] stream::drained_awaiter : public waiter {
public:
    explicit drained_awaiter(stream& s) noexcept : waiter(s) {}
    [[nodiscard]] bool await_ready() const noexcept {
        stream_.flush();
        return stream_.unsent_bytes() == 0 || stream_.failed_ || stream_.interrupted_;
    }
    void await_suspend(std::coroutine_handle<> caller) noexcept {
        set_coroutine(caller, nullptr);
        stream_.writer_ = this;
    }
    [[nodiscard]] bool await_resume() const noexcept { return !stream_.failed_ && !stream_.interrupted_; }
};

inline stream::drained_awaiter stream::drained() noexcept { return drained_awaiter(*this); }

}  // namespace rondo::net
