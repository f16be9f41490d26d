// SPDX-License-Identifier: Apache-2.0
// One request and its response on a connection: the body reader and the responder that the application uses.
// Implemented in exchange.cpp, exchange_body.cpp and exchange_client.cpp.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string_view>

#include <rondo/base/arena.hpp>
#include <rondo/coro/ready_queue.hpp>
#include <rondo/coro/task.hpp>
#include <rondo/coro/task_context.hpp>
#include <rondo/handler/application.hpp>
#include <rondo/handler/request.hpp>
#include <rondo/handler/responder.hpp>
#include <rondo/http/h1/chunked.hpp>
#include <rondo/http/h1/request_parser.hpp>
#include <rondo/http/h1/response_writer.hpp>

namespace rondo::server {

class connection;

/// One request with its response. A single allocation holds the object, the bytes of the head, the fields and the first
/// block of the request's arena. An idle connection has no exchange.
class exchange final : public handler::body,
                       public handler::responder,
                       handler::connection_info,
                       detail::completion_handler {
public:
    /// `head` is the parsed form of `bytes`. Throws std::bad_alloc.
    static exchange* make(connection& c, const char* bytes, const http::h1::request_head& head);
    void destroy() noexcept;

    exchange(const exchange&) = delete;
    exchange& operator=(const exchange&) = delete;

    [[nodiscard]] handler::request& request() noexcept { return request_; }
    [[nodiscard]] task_context& request_context() noexcept { return context_; }

    /// Starts the application. Returns true when it has finished, false when it is suspended; then call
    /// resume_at_end().
    [[nodiscard]] bool run(handler::application& app, thread_activity& activity);
    void resume_at_end(std::coroutine_handle<> caller) noexcept {
        app_task_.coroutine().promise().set_completion_handler(this, reinterpret_cast<std::size_t>(caller.address()));
    }
    /// The exception thrown by the application, or null. Call after it has finished.
    [[nodiscard]] std::exception_ptr take_failure() noexcept;

    // handler::body
    [[nodiscard]] task<std::string_view> read() override;
    [[nodiscard]] std::optional<std::string_view> try_read() override;
    [[nodiscard]] std::size_t buffered() const noexcept override;
    [[nodiscard]] std::optional<std::uint64_t> length() const noexcept override;
    [[nodiscard]] bool is_at_end() const noexcept override { return body_state_ == body_state::ended; }
    void limit(std::uint64_t bytes) noexcept override { limit_ = bytes; }
    [[nodiscard]] std::uint64_t limit() const noexcept override { return limit_; }
    [[nodiscard]] const http::fields* trailers() const noexcept override;

    // handler::responder
    void respond(const handler::response_head& head, std::string_view bytes) override;
    void inform(http::status code, const http::fields& fields) override;
    void start(const handler::response_head& head, std::optional<std::uint64_t> length) override;
    [[nodiscard]] task<void> write(std::string_view bytes) override;
    [[nodiscard]] bool try_write(std::string_view bytes) override;
    [[nodiscard]] task<void> wait_for_room() override;
    [[nodiscard]] task<void> write_file(int fd, std::uint64_t offset, std::uint64_t length) override;
    void finish() override;
    void finish_with(const http::fields& trailers) override;
    void abort() noexcept override { abort_with(http::status::internal_server_error); }
    void abort_with(http::status instead) noexcept override;
    [[nodiscard]] bool has_started() const noexcept override { return state_ != state::waiting; }
    [[nodiscard]] bool needs_body() const noexcept override { return request_.method != http::method::head; }
    [[nodiscard]] http::status code() const noexcept override { return code_; }
    [[nodiscard]] std::uint64_t body_bytes() const noexcept override { return written_; }

    [[nodiscard]] bool is_finished() const noexcept { return state_ == state::finished; }
    [[nodiscard]] bool is_aborted() const noexcept { return state_ == state::aborted; }
    /// Reads and discards the rest of the body, within a limit. False when the connection cannot be reused.
    [[nodiscard]] task<bool> skip_body();
    /// Whether the rest of the body is small enough to discard. `unwanted`: the application reads no more of it, so
    /// input that is already received may be dropped to find out.
    [[nodiscard]] bool can_skip_body(bool unwanted);
    /// Checks that a client that closed its sending half is still connected, by sending "100 Continue". Once the
    /// response has started, the listener of the request is notified instead.
    void probe_client() noexcept;

private:
    enum class body_state : std::uint8_t { reading, ended, failed };
    enum class state : std::uint8_t { waiting, started, finished, aborted };

    exchange(connection& c, const char* bytes, const http::h1::request_head& head, char* spare, std::size_t spare_size);
    void set_request(connection& c, const char* bytes, const http::h1::request_head& head);

    /// The client as described by a trusted proxy.
    struct forwarded_client {
        std::string_view address;  // empty: that of the connection
        std::string_view scheme;   // empty: that of the connection
        std::uint16_t port;
    };
    /// For trusted peers, replaces address, scheme and host of the peer by those of its client.
    void read_forwarded();

    [[nodiscard]] std::string_view peer_address() noexcept override;
    [[nodiscard]] std::string_view direct_peer_address() noexcept override;
    [[nodiscard]] std::uint16_t peer_port() noexcept override;
    [[nodiscard]] bool is_secure() const noexcept override;
    [[nodiscard]] std::string_view local_address() noexcept override;
    [[nodiscard]] std::uint16_t local_port() noexcept override;
    [[nodiscard]] bool is_unix() noexcept override;
    std::coroutine_handle<> on_completion(std::coroutine_handle<>, std::size_t,
                                          std::exception_ptr failure) noexcept override;

    struct piece {
        std::string_view data;
        bool needs_input = false;  // more input is needed
    };
    /// Extracts the next part of the body from the received input. Throws http_error.
    [[nodiscard]] piece next_piece(bool is_kept = true);
    [[nodiscard]] piece next_chunk_piece();
    [[nodiscard]] piece pending_piece() noexcept;
    void check_limit();
    [[noreturn]] void fail_body(http::status code, const char* text);
    [[noreturn]] void fail_disconnected();
    [[nodiscard]] task<void> receive_more();
    void send_continue();

    void write_head(const handler::response_head& head, http::h1::framing framing, std::uint64_t length,
                    std::size_t body_room, std::string_view body, bool whole);
    [[nodiscard]] http::h1::framing framing_for(http::status code, std::optional<std::uint64_t> length) const noexcept;
    void require_not_started(const handler::response_head& head) const;
    /// Throws when nothing more can be sent.
    void check_connected() const;
    /// Throws when the body must not have `size` more bytes.
    void check_written(std::uint64_t size) const;
    void add_written(std::uint64_t size);
    /// Copies a part of the body into the output.
    void write_copy(std::string_view bytes);
    /// Throws unless the response is complete.
    void check_complete() const;
    [[nodiscard]] task<void> wait_until_drained();
    /// Called after an await that does not resume through the ready queue: marks the request as running on the loop.
    void mark_resumed() noexcept;
    [[noreturn]] void throw_disconnected() const;

    connection& connection_;
    handler::request request_;
    task_context context_;
    arena arena_;
    const forwarded_client* forwarded_ = nullptr;
    std::uint32_t size_ = 0;        // of the allocation
    std::uint32_t unconsumed_ = 0;  // input returned by the last read(), not consumed yet

    task<void> app_task_;

    struct chunked_state : http::h1::chunked_decoder {
        // A decoded piece that exceeded the limit, within the input; read() returns it once the limit is raised.
        std::uint32_t pending_offset = 0;
        std::uint32_t pending = 0;
    };
    std::unique_ptr<chunked_state> chunked_;
    std::uint64_t remaining_ = 0;  // bytes to receive of a body with a length
    std::uint64_t received_ = 0;   // bytes of the body
    std::uint64_t limit_;
    instant body_started_{};

    std::uint64_t declared_length_ = 0;
    std::uint64_t written_ = 0;
    std::uint32_t flushes_at_start_ = 0;
    std::uint32_t corked_at_start_ = 0;
    http::status code_{};
    body_state body_state_ = body_state::ended;
    state state_ = state::waiting;
    http::h1::framing framing_ = http::h1::framing::none;
    bool app_finished_ = false;  // the application has finished
    bool secure_;                // copy: view threads read it while the loop writes the connection's bit-fields
    // One more byte would cost sixteen per suspended request.
    bool keep_alive_ : 1 = false;
    bool chunked_body_ : 1 = false;
    bool continue_pending_ : 1 = false;
    bool omit_body_ : 1 = false;
};

}  // namespace rondo::server
