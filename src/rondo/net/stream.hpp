// SPDX-License-Identifier: Apache-2.0
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
    end,          ///< the other side sends no more
    failed,       ///< the connection is broken
    interrupted,  ///< interrupt() was called
};

/// A connected byte stream (TCP or unix, plain or through a filter) on a loop. Belongs to the loop's thread. One reader
/// and one writer at a time. An idle stream holds no buffer: input is read into memory of the loop and copied only when
/// it must outlive the turn, output goes through net::output. Whoever wants to know that the other side is gone while
/// nobody reads derives from it. To be destroyed from event_loop::defer, never within one of its own callbacks.
///
/// No call on it runs other code: a reader or writer that is woken goes on from the ready queue, and left() comes in a
/// turn of the loop. When sending fails, what the other side sent before is still read.
class stream : public stream_socket {
public:
    /// Output beyond this makes drained() wait.
    static constexpr std::size_t high_water = 64 * 1024;
    /// Input kept for a reader that does not come; then the kernel makes the sender wait.
    static constexpr std::size_t unread_limit = 64 * 1024;

    /// Throws std::system_error when the loop cannot watch the socket.
    stream(output& out, unique_fd fd);
    virtual ~stream();

    /// The input not consumed yet. Holds until the calling coroutine suspends; see hold_input().
    [[nodiscard]] std::string_view input() const noexcept {
        return held_ ? std::string_view(held_->bytes.get() + held_->at, held_->size - held_->at) : passing_;
    }
    /// The same for who decodes it where it is.
    [[nodiscard]] std::span<char> input_in_place() noexcept {
        const std::string_view in = input();
        return {const_cast<char*>(in.data()), in.size()};
    }
    void consume(std::size_t size) noexcept;
    /// Moves the input to memory of the stream's own: a view of input() then holds until the next receive().
    void hold_input();

    /// Waits for more input. `co_await s.receive()` gives an input_event.
    class receive_awaiter;
    [[nodiscard]] receive_awaiter receive() noexcept;
    /// True when the other side sends no more (what came before may still be in input()).
    [[nodiscard]] bool input_ended() const noexcept { return input_ended_; }

    /// True when there is input that nobody took, here or in the kernel.
    [[nodiscard]] bool unread() const noexcept;

    /// Memory for at least `size` (at most output::block_size) bytes of output; commit() what was written.
    [[nodiscard]] char* reserve(std::size_t size) { return out_.reserve(*this, size); }
    void commit(std::size_t size) noexcept { out_.commit(size); }
    /// Queues a copy.
    void write(std::string_view bytes);
    /// Bytes corked in this turn, and forgetting those after the first `keep` of them: nothing of them was sent yet.
    [[nodiscard]] std::size_t corked() const noexcept { return out_.corked(*this); }
    void drop_corked(std::size_t keep) noexcept { out_.drop(*this, keep); }
    /// How often corked output was handed on: unchanged as long as drop_corked() can take back what was written since.
    [[nodiscard]] std::uint32_t flushes() const noexcept { return flushes_; }
    /// Sends what is corked now instead of at the end of the turn.
    void flush() noexcept { out_.flush(*this); }
    /// Output that the kernel has not taken.
    [[nodiscard]] std::size_t backlog() const noexcept;

    /// Waits until all output was taken by the kernel. Gives false when the connection broke or interrupt() was called.
    class drained_awaiter;
    [[nodiscard]] drained_awaiter drained() noexcept;

    /// Sends without copying; `bytes` must hold until it is done. False as drained().
    [[nodiscard]] task<bool> write_all(std::string_view bytes);
    /// Sends a part of a file, the reading done on the loop's blocking pool. False as drained(), or when the file ended
    /// early.
    [[nodiscard]] task<bool> write_file(int file, std::uint64_t offset, std::uint64_t size);

    /// Wakes the reader and the writer; further waits end at once. For time-outs and cancellation.
    void interrupt() noexcept;
    /// Undoes interrupt(), to say a last word to the other side.
    void clear_interrupt() noexcept { interrupted_ = false; }

    /// From now on the filter stands between this and the wire: TLS. Begins its handshake at once; until
    /// filter()->now() says `open`, nothing may be written. The end of the handshake, or its failure, wakes receive().
    /// What write_all() and write_file() send is then copied. Throws unread_input when input() is not empty, and
    /// changes nothing then.
    void filter_with(std::unique_ptr<stream_filter> filter);
    /// Null for a plain stream.
    [[nodiscard]] const stream_filter* filter() const noexcept { return filter_.get(); }

    /// Says that no more output comes (FIN), behind all that was written.
    void shutdown_output() noexcept;
    /// Drops what was not sent and closes; with `reset` the other side gets an RST.
    void close(bool reset = false) noexcept;

    /// True when nothing can be sent any more; input may still be there.
    [[nodiscard]] bool failed() const noexcept { return failed_; }
    [[nodiscard]] bool is_open() const noexcept { return fd() >= 0; }
    /// Bytes that the other side's kernel has taken so far: whether a slow reader makes progress. Our kernel's buffer
    /// may hold megabytes, so what was handed to it says little.
    [[nodiscard]] std::uint64_t bytes_taken() const noexcept;
    [[nodiscard]] event_loop& loop() const noexcept { return out_.loop(); }

protected:
    /// The other side shut down its sending half (`gone` false: it may still read), or is gone; while nobody reads.
    virtual void left(bool gone) noexcept { (void)gone; }

private:
    friend class output;
    class waiting;
    class room_awaiter;

    struct held_input {
        std::unique_ptr<char[]> bytes;
        std::unique_ptr<char[]> lent;  // outgrown, but perhaps still looked at
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
    void peer_closed(bool gone, int error) noexcept override;
    void sent(std::ptrdiff_t result, void* keep) noexcept override;
    void writable() noexcept override;

    /// Sends or keeps; true when the kernel works on `data` itself until sent().
    [[nodiscard]] bool push(const char* data, std::size_t size, void* block) noexcept;
    void deliver(const loop_turn& turn, std::string_view bytes) noexcept;
    void end_input(int error) noexcept;
    void hold(std::string_view bytes);
    void hold_output(std::string_view bytes);
    void send_held() noexcept;
    void all_sent() noexcept;
    /// Bytes sent now, or 0 when the kernel takes none or output has failed.
    [[nodiscard]] std::size_t send_now(std::string_view bytes) noexcept;
    void receive_filtered(const loop_turn& turn, std::string_view bytes) noexcept;
    void push_filtered(std::string_view bytes) noexcept;
    void send_wire(std::string_view wire) noexcept;
    void end_filtered() noexcept;
    [[nodiscard]] task<bool> write_all_filtered(std::string_view bytes);
    [[nodiscard]] task<bool> write_file_filtered(int file, std::uint64_t offset, std::uint64_t size);
    /// Nothing can be sent any more.
    void fail_output(int error) noexcept;
    /// By the loop's turn: says to the owner that output has failed, when nobody reads.
    void report_failure() noexcept;
    void report_gone() noexcept;
    void forget_reader() noexcept;
    void wake_reader(input_event what) noexcept;
    void wake_writer() noexcept;

    output& out_;
    std::string_view passing_;  // in the loop's memory, during received()
    std::unique_ptr<held_input> held_;
    std::unique_ptr<held_output> unsent_;
    std::unique_ptr<stream_filter> filter_;
    waiting* reader_ = nullptr;
    waiting* writer_ = nullptr;
    const char* sending_ = nullptr;  // what the kernel works on
    std::uint64_t bytes_sent_ = 0;
    std::uint32_t sending_size_ = 0;
    std::uint32_t flushes_ = 0;
    input_event event_ = input_event::more;
    bool input_ended_ : 1 = false;
    bool input_failed_ : 1 = false;
    bool input_paused_ : 1 = false;
    bool failed_ : 1 = false;
    bool was_reset_ : 1 = false;      // an end of input is none that the other side meant
    bool unreported_ : 1 = false;     // in the output's list of failed streams
    bool reported_gone_ : 1 = false;  // once is enough: by a failed send or by the kernel
    bool interrupted_ : 1 = false;
    bool shutting_down_ : 1 = false;  // FIN follows what is not sent yet
};

/// One coroutine that waits for a stream; in the frame of that coroutine.
class stream::waiting : public ready_node {
public:
    waiting(const waiting&) = delete;
    waiting& operator=(const waiting&) = delete;

    /// Waits no more: the coroutine goes on for another reason, or is destroyed.
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
    void await_suspend(std::coroutine_handle<> who) noexcept {
        hold(who, nullptr);
        stream_.reader_ = this;
        stream_.loop().io().want_input(stream_);
    }
    /// What it was woken for, even if more has happened since.
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
    void await_suspend(std::coroutine_handle<> who) noexcept {
        hold(who, nullptr);
        stream_.writer_ = this;
    }
    [[nodiscard]] bool await_resume() const noexcept { return !stream_.failed_ && !stream_.interrupted_; }
};

inline stream::drained_awaiter stream::drained() noexcept { return drained_awaiter(*this); }

}  // namespace rondo::net
