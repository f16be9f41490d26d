// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <coroutine>
#include <cstdint>
#include <exception>
#include <memory>

#include <rondo/base/frame_memory.hpp>
#include <rondo/base/intrusive_list.hpp>
#include <rondo/coro/task.hpp>
#include <rondo/http/proxy_protocol.hpp>
#include <rondo/http/status.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/net/address.hpp>
#include <rondo/net/stream.hpp>
#include <rondo/stats/worker_stats.hpp>

namespace rondo::server {

class exchange;
class server;

/// The place of a connection in the lists of its server.
class connection_entry : public list_node {};

/// One HTTP/1.1 connection: a coroutine that reads as a plain loop over requests. Owned by its server, which destroys
/// it when the coroutine has ended. Ten thousand of them wait in memory: every byte here counts.
class connection final : public connection_entry, public net::stream, timer, detail::task_end {
public:
    connection(server& owner, unique_fd socket);
    ~connection() override;

    static void* operator new(std::size_t size) { return frame_memory::allocate(size); }
    static void operator delete(void* memory, std::size_t size) noexcept { frame_memory::deallocate(memory, size); }

    /// Runs until the connection ends.
    void start() noexcept;

    /// No further request after the one being answered; an idle connection ends now. `patient`: one that had a request
    /// a moment ago may have another.
    void drain(bool patient) noexcept;
    /// Cancels the request being answered.
    void cancel(cancel_reason reason) noexcept;
    /// Ends without further ado.
    void kill() noexcept;

private:
    friend class exchange;

    /// What the timer watches.
    using phase = stats::connection_state;

    task<void> run();
    /// The same for a connection that begins with a header of the PROXY protocol.
    task<void> run_proxied();
    /// False when the other end may not send one, or sent something else; peer() is then still the other end.
    [[nodiscard]] task<bool> read_proxy_header();
    void use_proxy_header(const http::proxy_header& header);
    /// True when input() begins with a whole head, which is then in server_.head_. An error sets refusal_.
    [[nodiscard]] bool parse_head() noexcept;
    /// Between two requests: the rest of the body, output that the client does not read. False when the connection
    /// ends.
    [[nodiscard]] task<bool> tidy_up();
    /// After a wait for a head that brought none: whether to say something before the end.
    void give_up_head(net::input_event why);
    // Inlined, its frame would be part of run()'s: 96 bytes more for every connection all the time.
    [[nodiscard, gnu::noinline]] task<void> end_gracefully();
    void refuse(http::status code);
    /// The same for a head that is none, with a word to the application.
    void refuse_head(http::status code);
    void next_phase(phase p, clock::duration limit) noexcept;
    /// What a head may take from now on.
    [[nodiscard]] clock::duration head_time() const noexcept;
    /// A time of waiting for a client to take what is sent; goes on as long as it takes some.
    void writing_phase() noexcept;
    void begin_exchange();
    /// Of the exchange, which has ended: for request_counter.
    [[nodiscard]] std::size_t outcome() const noexcept;
    void settle_failure(const std::exception_ptr& failure) noexcept;
    void finish_exchange() noexcept;

    void on_timer() noexcept;
    void on_write_timer() noexcept;
    void left(bool gone) noexcept override;
    /// The other end, or the client that a PROXY header told of.
    [[nodiscard]] const net::peer& peer();
    /// Whether the fields of this peer about its client are believed.
    [[nodiscard]] bool peer_is_trusted();
    std::coroutine_handle<> ended(std::coroutine_handle<>, std::size_t, std::exception_ptr) noexcept override;

    class serving;

    server& server_;
    exchange* exchange_ = nullptr;
    task<void> running_;
    std::unique_ptr<net::peer> peer_;
    std::uint64_t taken_at_check_ = 0;
    std::uint32_t parsed_size_ = 0;  // input looked at by the last attempt to parse a head
    http::status refusal_{};
    enum class trust : std::uint8_t { unknown, no, yes };
    // Each byte more would be sixteen for every connection.
    phase phase_ : 4 = phase::idle;
    trust trust_ : 2 = trust::unknown;
    bool timed_out_ : 1 = false;
    bool keep_open_ : 1 = true;
    bool draining_ : 1 = false;
    bool reset_ : 1 = false;   // close such that the other side sees an error
    bool linger_ : 1 = false;  // let the other side finish sending, so that it sees the response
    bool peer_half_closed_ : 1 = false;
    bool secure_ : 1 = false;  // the client of the proxy spoke TLS to it
};

}  // namespace rondo::server
