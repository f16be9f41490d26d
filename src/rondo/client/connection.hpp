// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>

#include <rondo/base/frame_memory.hpp>
#include <rondo/base/intrusive_list.hpp>
#include <rondo/base/unique_fd.hpp>
#include <rondo/coro/waiter.hpp>
#include <rondo/loop/timer.hpp>
#include <rondo/net/output.hpp>
#include <rondo/net/stream.hpp>

namespace rondo::detail {

class client_pool;
struct client_origin;

/// The place of a connection in the lists of its pool.
class client_connection_entry : public list_node {};

/// A connection to a server. Owned by its pool, which destroys it on an empty stack. Thousands of them wait in memory:
/// while nothing is read or written it holds no buffer.
class client_connection final : public client_connection_entry, public net::stream, timer {
public:
    client_connection(client_pool& pool, client_origin& origin, net::output& out, unique_fd socket);
    ~client_connection() override = default;

    static void* operator new(std::size_t size) { return frame_memory::allocate(size); }
    static void operator delete(void* memory, std::size_t size) noexcept { frame_memory::deallocate(memory, size); }

    /// `co_await c.more_input(until)`: as receive(), but a cancellation point; throws timed_out at `until`.
    class input_wait;
    [[nodiscard]] input_wait more_input(instant until) noexcept;
    /// `co_await c.all_sent(until)`: as drained(), the same way.
    class output_wait;
    [[nodiscard]] output_wait all_sent(instant until) noexcept;

    /// By the pool: from now on it waits for its next request, for `limit`.
    void rest(clock::duration limit) noexcept;
    void wake_up() noexcept { resting_ = false; }
    /// False when the server said or did something since the last response: it cannot be used any more.
    [[nodiscard]] bool is_sound() const noexcept;

    [[nodiscard]] bool resting() const noexcept { return resting_; }
    [[nodiscard]] instant rests_until() const noexcept { return due(); }
    [[nodiscard]] client_origin& origin() const noexcept { return origin_; }

    std::uint32_t requests = 0;  ///< sent so far

private:
    void left(bool gone) noexcept override;

    client_pool& pool_;
    client_origin& origin_;
    bool resting_ = false;
};

/// What both waits have in common: whoever waits is woken by the stream itself, a cancellation or the clock.
class client_wait : public waiter, protected timer {
protected:
    client_wait(cancel_function on_cancel, function on_time, event_loop& loop, instant until) noexcept
        : waiter(on_cancel), timer(on_time, until), loop_(loop) {}

    template <class Promise>
    [[nodiscard]] bool begin(std::coroutine_handle<Promise> who) noexcept {
        if (!suspend(who)) return false;
        if (due() != instant::max()) loop_.timers().arm(*this, due());
        return true;
    }
    /// After the wait. Throws `cancelled` and timed_out.
    void end();

    event_loop& loop_;
    bool late_ = false;
};

class [[nodiscard("co_await it")]] client_connection::input_wait : public client_wait {
public:
    input_wait(client_connection& c, instant until) noexcept;

    [[nodiscard]] bool await_ready() const noexcept { return receive_.await_ready(); }
    template <class Promise>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> who) noexcept {
        if (!begin(who)) return false;
        receive_.await_suspend(who);
        return true;
    }
    [[nodiscard]] net::input_event await_resume() {
        end();
        return receive_.await_resume();
    }

private:
    net::stream::receive_awaiter receive_;
};

class [[nodiscard("co_await it")]] client_connection::output_wait : public client_wait {
public:
    output_wait(client_connection& c, instant until) noexcept;

    [[nodiscard]] bool await_ready() const noexcept { return drained_.await_ready(); }
    template <class Promise>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> who) noexcept {
        if (!begin(who)) return false;
        drained_.await_suspend(who);
        return true;
    }
    /// False when the connection broke.
    [[nodiscard]] bool await_resume() {
        end();
        return drained_.await_resume();
    }

private:
    net::stream::drained_awaiter drained_;
};

inline client_connection::input_wait client_connection::more_input(instant until) noexcept { return {*this, until}; }
inline client_connection::output_wait client_connection::all_sent(instant until) noexcept { return {*this, until}; }

}  // namespace rondo::detail
