// SPDX-License-Identifier: Apache-2.0
// One HTTP/1.1 connection of the server, as a coroutine that reads, serves and writes one request after the other.
// Implemented in connection.cpp, connection_proxied.cpp and connection_refused.cpp.
#pragma once

#include <coroutine>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>

#include <rondo/base/frame_memory.hpp>
#include <rondo/base/intrusive_list.hpp>
#include <rondo/coro/task.hpp>
#include <rondo/http/proxy_protocol.hpp>
#include <rondo/http/status.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/net/listen.hpp>
#include <rondo/net/stream.hpp>
#include <rondo/stats/worker_stats.hpp>

namespace rondo::server {

class exchange;
class server;

/// Membership of a connection in the lists of its server.
class connection_entry : public list_node {};

/// One HTTP/1.1 connection: a coroutine written as a plain loop over requests. Owned by its server, which destroys it
/// when the coroutine has ended. Servers keep tens of thousands of idle connections: every byte here counts.
class connection final : public connection_entry, public net::stream, timer, detail::completion_handler {
public:
    connection(server& owner, unique_fd socket);
    ~connection() override;

    static void* operator new(std::size_t size) { return frame_memory::allocate(size); }
    static void operator delete(void* memory, std::size_t size) noexcept { frame_memory::deallocate(memory, size); }

    /// Runs until the connection ends.
    void start() noexcept;

    /// Closes the connection after the current request; an idle one closes now. `patient`: one that was active a moment
    /// ago may send another request.
    void drain(bool patient) noexcept;
    /// Cancels the current request.
    void cancel(cancel_reason reason) noexcept;
    /// Closes the connection immediately.
    void close_now() noexcept;

private:
    friend class exchange;

    /// Selects the time-out that the timer applies.
    using phase = stats::connection_state;

    task<void> run();
    /// run() for a connection that starts with a PROXY protocol header.
    task<void> run_proxied();
    /// False when the peer may not send a header or sent something else; peer() is then still the sender itself.
    [[nodiscard]] task<bool> read_proxy_header();
    void apply_proxy_header(const http::proxy_header& header);
    /// True when input() starts with a complete head, which is then in server_.head_. Sets refusal_ on an error.
    [[nodiscard]] bool parse_head() noexcept;
    /// Between two requests: discards the rest of the body and waits until the backlog of output is sent. False when
    /// the connection must close.
    [[nodiscard]] task<bool> finish_io();
    /// Handles a time-out or end of input before a complete head; sends an error response if part of one was received.
    void on_incomplete_head(net::input_event event);
    // Inlined, its frame would be part of the frame of run(): 96 more bytes for every connection.
    [[nodiscard, gnu::noinline]] task<void> close_gracefully();
    void refuse(http::status code);
    /// refuse() for an invalid head; also reports it to the application.
    void refuse_head(http::status code);
    void enter_phase(phase p, clock::duration limit) noexcept;
    /// Time left to receive a head.
    [[nodiscard]] clock::duration head_timeout() const noexcept;
    /// Starts the write time-out, which restarts whenever the client has received more.
    void enter_writing_phase() noexcept;
    void begin_exchange();
    /// Outcome of the finished exchange, for request_counter.
    [[nodiscard]] std::size_t outcome() const noexcept;
    void handle_failure(const std::exception_ptr& failure) noexcept;
    void finish_exchange() noexcept;

    void on_timer() noexcept;
    void on_write_timer() noexcept;
    void on_peer_closed(bool reset) noexcept override;
    /// The addresses of both ends. Only the ones that were asked for.
    struct addresses {
        std::optional<net::peer> peer;
        std::unique_ptr<net::local_end> local;
    };
    [[nodiscard]] addresses& known_addresses();
    /// The other end of the connection, or the client named by a PROXY header.
    [[nodiscard]] const net::peer& peer();
    /// The end of the server.
    [[nodiscard]] const net::local_end& local();
    /// Whether forwarding header fields of this peer are trusted.
    [[nodiscard]] bool peer_is_trusted();
    std::coroutine_handle<> on_completion(std::coroutine_handle<>, std::size_t, std::exception_ptr) noexcept override;

    class serve_awaiter;
    class sender;

    server& server_;
    exchange* exchange_ = nullptr;
    task<void> running_;
    std::unique_ptr<addresses> addresses_;
    std::uint64_t acknowledged_at_check_ = 0;
    std::uint32_t parsed_size_ = 0;  // size of the input at the last attempt to parse a head
    http::status refusal_{};
    enum class trust : std::uint8_t { unknown, no, yes };
    // One more byte would cost sixteen per connection.
    phase phase_ : 4 = phase::idle;
    trust trust_ : 2 = trust::unknown;
    bool timed_out_ : 1 = false;
    bool keep_open_ : 1 = true;
    bool draining_ : 1 = false;
    bool reset_ : 1 = false;   // close with an RST, so that the client sees an error
    bool linger_ : 1 = false;  // let the client finish sending, so that it receives the response
    bool peer_half_closed_ : 1 = false;
    bool secure_ : 1 = false;  // the client connected to the proxy with TLS
};

}  // namespace rondo::server
