// SPDX-License-Identifier: Apache-2.0
// A connection of the HTTP client to a server, and the waits on it.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>

#include <rondo/base/frame_memory.hpp>
#include <rondo/base/intrusive_list.hpp>
#include <rondo/base/unique_fd.hpp>
#include <rondo/coro/waiter.hpp>
#include <rondo/loop/timer.hpp>
#include <rondo/net/output_buffer.hpp>
#include <rondo/net/stream.hpp>

namespace rondo::detail {

class client_pool;
struct client_origin;

/// Links a connection into the lists of its pool.
class client_connection_entry : public list_node {};

/// A connection to a server. Owned by its pool, which destroys it on an empty stack. Holds no buffer while nothing is
/// read or written, so thousands may be idle.
class client_connection final : public client_connection_entry, public net::stream, timer {
public:
    client_connection(client_pool& pool, client_origin& origin, net::output_buffer& out, unique_fd socket);
    ~client_connection() override = default;

    static void* operator new(std::size_t size) { return frame_memory::allocate(size); }
    static void operator delete(void* memory, std::size_t size) noexcept { frame_memory::deallocate(memory, size); }

    /// `co_await c.receive_until(deadline)`: like receive(), but a cancellation point; throws timed_out at `deadline`.
    class input_wait;
    [[nodiscard]] input_wait receive_until(instant deadline) noexcept;
    /// `co_await c.drained_until(deadline)`: like drained(), likewise.
    class output_wait;
    [[nodiscard]] output_wait drained_until(instant deadline) noexcept;

    /// Called by the pool: the connection is idle, and closed after `timeout` without a request.
    void mark_idle(clock::duration timeout) noexcept;
    void mark_busy() noexcept { idle_ = false; }
    /// False when the server has closed or sent something since the last response.
    [[nodiscard]] bool is_reusable() const noexcept;

    [[nodiscard]] bool is_idle() const noexcept { return idle_; }
    [[nodiscard]] instant idle_until() const noexcept { return due(); }
    [[nodiscard]] client_origin& origin() const noexcept { return origin_; }

    std::uint32_t requests = 0;  ///< sent so far

private:
    void on_peer_closed(bool reset) noexcept override;

    client_pool& pool_;
    client_origin& origin_;
    bool idle_ = false;
};

/// Base of both waits: the coroutine is woken by the stream, a cancellation or the timer.
class client_stream_wait : public waiter, protected timer {
protected:
    client_stream_wait(cancel_function on_cancel, function on_time, event_loop& loop, instant deadline) noexcept
        : waiter(on_cancel), timer(on_time, deadline), loop_(loop) {}

    template <class Promise>
    [[nodiscard]] bool start_wait(std::coroutine_handle<Promise> h) noexcept {
        if (!suspend(h)) return false;
        if (due() != instant::max()) loop_.timers().arm(*this, due());
        return true;
    }
    /// Called after the wait. Throws `cancelled` and timed_out.
    void finish_wait();

    event_loop& loop_;
    bool timed_out_ = false;
};

class [[nodiscard("co_await it")]] client_connection::input_wait : public client_stream_wait {
public:
    input_wait(client_connection& c, instant deadline) noexcept;

    [[nodiscard]] bool await_ready() const noexcept { return receive_.await_ready(); }
    template <class Promise>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
        if (!start_wait(h)) return false;
        receive_.await_suspend(h);
        return true;
    }
    [[nodiscard]] net::input_event await_resume() {
        finish_wait();
        return receive_.await_resume();
    }

private:
    net::stream::receive_awaiter receive_;
};

class [[nodiscard("co_await it")]] client_connection::output_wait : public client_stream_wait {
public:
    output_wait(client_connection& c, instant deadline) noexcept;

    [[nodiscard]] bool await_ready() const noexcept { return drained_.await_ready(); }
    template <class Promise>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
        if (!start_wait(h)) return false;
        drained_.await_suspend(h);
        return true;
    }
    /// False when the connection is broken.
    [[nodiscard]] bool await_resume() {
        finish_wait();
        return drained_.await_resume();
    }

private:
    net::stream::drained_awaiter drained_;
};

inline client_connection::input_wait client_connection::receive_until(instant deadline) noexcept {
    return {*this, deadline};
}
inline client_connection::output_wait client_connection::drained_until(instant deadline) noexcept {
    return {*this, deadline};
}

}  // namespace rondo::detail
