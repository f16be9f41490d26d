// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <coroutine>
#include <cstdint>
#include <exception>
#include <memory>

#include <rondo/base/frame_memory.hpp>
#include <rondo/base/intrusive_list.hpp>
#include <rondo/coro/task.hpp>
#include <rondo/handler/request.hpp>
#include <rondo/http/status.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/net/address.hpp>
#include <rondo/net/stream.hpp>

namespace rondo::server {

class exchange;
class server;

/// One HTTP/1.1 connection: a coroutine that reads as a plain loop over requests. Owned by its server; destroys itself
/// through the loop when the coroutine has ended.
class connection final : public list_node, net::stream_owner, handler::connection_info, posted, detail::task_end {
public:
    connection(server& owner, unique_fd socket);
    ~connection();

    static void* operator new(std::size_t size) { return frame_memory::allocate(size); }
    static void operator delete(void* memory, std::size_t size) noexcept { frame_memory::deallocate(memory, size); }

    /// Runs until the connection ends.
    void start() noexcept;

    /// No further request after the one being answered; an idle connection ends now.
    void drain() noexcept;
    /// Cancels the request being answered.
    void cancel(cancel_reason reason) noexcept;
    /// Ends without further ado.
    void kill() noexcept;

private:
    friend class exchange;

    /// What the timer watches.
    enum class phase : std::uint8_t { idle, head, serving, body, writing, lingering };

    task<void> run();
    /// True when input() begins with a whole head, which is then in server_.head_. An error sets `refusal`.
    [[nodiscard]] bool parse_head(http::status& refusal) noexcept;
    /// After a wait for a head that brought none: whether to say something before the end.
    void give_up_head(net::input_event why);
    [[nodiscard]] task<void> end_gracefully();
    void refuse(http::status code);
    void next_phase(phase p, clock::duration limit) noexcept;
    void begin_exchange();
    void settle_failure(const std::exception_ptr& failure) noexcept;
    void finish_exchange() noexcept;

    void on_timer() noexcept;
    void on_write_timer() noexcept;
    void run_on_loop() noexcept override { delete this; }
    void peer_closed(bool gone) noexcept override;
    std::coroutine_handle<> ended(std::coroutine_handle<>, std::size_t, std::exception_ptr) noexcept override;
    [[nodiscard]] std::string_view peer_address() noexcept override;
    [[nodiscard]] std::uint16_t peer_port() noexcept override;
    [[nodiscard]] bool secure() const noexcept override { return false; }

    struct phase_timer : timer {
        explicit phase_timer(connection& c) noexcept;
        connection& owner_;
    };
    class serving;

    server& server_;
    net::stream stream_;
    phase_timer timer_;
    exchange* exchange_ = nullptr;
    task<void> running_;
    std::unique_ptr<net::peer> peer_;
    std::uint64_t sent_at_check_ = 0;
    std::uint32_t parsed_size_ = 0;  // input looked at by the last attempt to parse a head
    phase phase_ = phase::idle;
    bool timed_out_ = false;
    bool keep_open_ = true;
    bool draining_ = false;
    bool reset_ = false;             // close such that the other side sees an error
    bool linger_ = false;            // let the other side finish sending, so that it sees the response
    bool peer_half_closed_ = false;
};

}  // namespace rondo::server
