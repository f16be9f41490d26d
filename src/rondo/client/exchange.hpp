// SPDX-License-Identifier: Apache-2.0
// One request and its response on a connection.
// Implemented in exchange.cpp and exchange_body.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <rondo/client/error.hpp>
#include <rondo/client/options.hpp>
#include <rondo/client/pool.hpp>
#include <rondo/client/request.hpp>
#include <rondo/coro/task.hpp>
#include <rondo/coro/task_group.hpp>
#include <rondo/http/fields.hpp>
#include <rondo/http/h1/chunked.hpp>
#include <rondo/http/h1/response_parser.hpp>

namespace rondo::detail {

/// The parts of a request that are sent. The views must stay valid until the head of the response has arrived.
struct outgoing_request {
    std::string_view method_text;
    http::method method;
    std::string_view target;
    std::string_view host;
    const http::fields* fields;
    std::string_view body;  ///< used when there is no source
    client_body* source = nullptr;
    bool has_body = false;  ///< also true for an empty body: Content-Length is sent
};

/// One request and its response on a connection. Use on the loop thread only. Closes the connection when destroyed
/// before the end of the response.
class client_exchange {
public:
    /// A body up to this size is written at once, before waiting for the response.
    static constexpr std::size_t small_body_limit = 64 * 1024;
    /// Interim responses allowed before the final one.
    static constexpr std::uint8_t max_interim_responses = 100;

    client_exchange(client_pool& pool, client_pool::lease connection, const client_timeouts& timeouts, instant deadline,
                    std::uint64_t max_body) noexcept;
    ~client_exchange();
    client_exchange(const client_exchange&) = delete;
    client_exchange& operator=(const client_exchange&) = delete;

    /// Sends the request and reads the head of the response. Returns when the body has been sent, or earlier when the
    /// head is an error or a redirect: then the rest of the body is discarded.
    /// `handler` (may be null) runs once the head has arrived, concurrently with sending, which stops when it returns.
    [[nodiscard]] task<void> transact(outgoing_request request, task<void> (*handler)(void* data), void* data);

    /// The next bytes of the body, valid until the next call; empty at the end.
    [[nodiscard]] task<std::string_view> read();
    /// Appends the rest of the body.
    [[nodiscard]] task<void> read_all(std::string& into);
    /// Reads and discards up to 64 KiB of the body, so that the connection may be reused.
    [[nodiscard]] task<void> discard_rest();
    /// Decodes the rest of the body as Content-Encoding says. Throws client_error for an unknown coding.
    void start_decoding(unsigned max_ratio);
    /// Replaces the deadline of the call for reading the body.
    void set_deadline(instant deadline) noexcept { deadline_ = deadline; }

    [[nodiscard]] const http::h1::received_head& head() const noexcept { return head_; }
    [[nodiscard]] http::fields_view fields() const noexcept { return {head_bytes_.data(), fields_}; }
    [[nodiscard]] const http::fields* trailers() const noexcept {
        return chunked_ && chunked_->done() && !chunked_->trailers().empty() ? &chunked_->trailers() : nullptr;
    }
    [[nodiscard]] bool ended() const noexcept { return ended_ && !decoding_; }

    /// The connection was reused and closed without a byte of a response: the server closed it before the request
    /// arrived and did not process it.
    [[nodiscard]] bool is_unprocessed() const noexcept { return reused_ && closed_ && !response_started_; }

private:
    struct decoding;
    struct piece {
        std::string_view data;
        bool needs_input = false;
    };

    void write_head(const outgoing_request& request);
    [[nodiscard]] task<void> send_body(outgoing_request request);
    [[nodiscard]] task<void> send_source(client_body& source, bool chunked);
    [[nodiscard]] task<bool> send_piece(std::string_view bytes);
    [[nodiscard]] task<void> receive_head(http::method method);
    [[nodiscard]] bool parse_head(http::method method);
    void accept_head(std::string_view bytes);
    [[nodiscard]] task<void> receive_while_sending(http::method method, task_group& sending,
                                                   task<void> (*handler)(void*), void* data);
    [[nodiscard]] task<void> receive_more(bool within_head);
    [[nodiscard]] piece next_piece();
    [[nodiscard]] piece next_decoded_piece();
    [[nodiscard]] std::string_view decode_piece(std::string_view coded);
    [[nodiscard]] piece next_chunk_piece();
    void count_body(std::size_t size);
    void end_body() noexcept;
    [[noreturn]] void fail(client_failure kind, const std::string& text);
    [[noreturn]] void fail_closed(bool within_head);
    [[nodiscard]] client_connection& connection() const noexcept { return lease_.connection(); }

    client_pool& pool_;
    client_pool::lease lease_;
    client_timeouts timeouts_;
    instant deadline_;
    std::uint64_t max_body_;
    std::uint64_t remaining_ = 0;  // of a body with Content-Length
    std::uint64_t received_ = 0;   // of the body
    http::h1::received_head head_{};
    std::string head_bytes_;  // of the head
    std::vector<http::field_ref> fields_;
    std::unique_ptr<http::h1::chunked_decoder> chunked_;
    std::unique_ptr<decoding> decoding_;
    std::size_t parsed_size_ = 0;   // size of the input at the last attempt to parse a head
    std::uint32_t unconsumed_ = 0;  // input returned by the last read(), not consumed yet
    std::uint8_t interim_count_ = 0;
    bool reused_;
    bool response_started_ = false;
    bool closed_ = false;
    bool request_sent_ = false;  // the whole request
    bool sending_ = false;       // the body, while the response is read
    bool ended_ = false;
};

}  // namespace rondo::detail
