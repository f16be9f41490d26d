// SPDX-License-Identifier: Apache-2.0
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

/// What of a request goes to the wire. The views must hold until the head of the response has come.
struct outgoing_request {
    std::string_view method_text;
    http::method method;
    std::string_view target;
    std::string_view host;
    const http::fields* fields;
    std::string_view body;  ///< when there is no source
    client_body* source = nullptr;
    bool has_body = false;  ///< an empty one is stated too
};

/// One request with its response on a connection. Belongs to the loop's thread. Destroyed before the end of the
/// response, it closes the connection.
class client_exchange {
public:
    /// Up to here a body is handed over at once, and the response waited for.
    static constexpr std::size_t small_body = 64 * 1024;
    /// Interim responses before the final one.
    static constexpr std::uint8_t most_interim = 100;

    client_exchange(client_pool& pool, client_pool::lease connection, const client_timeouts& limits, instant until,
                    std::uint64_t max_body) noexcept;
    ~client_exchange();
    client_exchange(const client_exchange&) = delete;
    client_exchange& operator=(const client_exchange&) = delete;

    /// Sends the request and reads the head of the response. Where the body is streamed, this goes on until all of it
    /// is sent; unless the head brings an error or a redirect: then the rest is not wanted.
    /// `then` runs as soon as the head is there, beside the sending; its end ends that. May be null.
    [[nodiscard]] task<void> transact(outgoing_request request, task<void> (*then)(void* with), void* with);

    /// The next bytes of the body, which hold until the next call; empty at the end.
    [[nodiscard]] task<std::string_view> read();
    /// Appends all that is left.
    [[nodiscard]] task<void> read_all(std::string& into);
    /// Reads on to the end, discarding it, when that is not far, so that the connection can be used again.
    [[nodiscard]] task<void> skip();
    /// Undoes the content codings that the head names, from now on. Throws client_error for one that is not known.
    void decode(unsigned max_ratio);
    /// Waits no longer than this for the body; instead of the time the call may take.
    void read_until(instant until) noexcept { until_ = until; }

    [[nodiscard]] const http::h1::received_head& head() const noexcept { return head_; }
    [[nodiscard]] http::fields_view fields() const noexcept { return {bytes_.data(), fields_}; }
    [[nodiscard]] const http::fields* trailers() const noexcept {
        return chunked_ && chunked_->done() && !chunked_->trailers().empty() ? &chunked_->trailers() : nullptr;
    }
    [[nodiscard]] bool ended() const noexcept { return ended_ && !decoding_; }

    /// The connection had been used before and ended without a byte of a response: the server closed it while the
    /// request was on its way, and has not seen it.
    [[nodiscard]] bool not_seen() const noexcept { return reused_ && closed_ && !any_input_; }

private:
    struct decoding;
    struct piece {
        std::string_view data;
        bool waits = false;
    };

    void write_head(const outgoing_request& request);
    [[nodiscard]] task<void> send_body(outgoing_request request);
    [[nodiscard]] task<void> send_source(client_body& source, bool chunks);
    [[nodiscard]] task<bool> send_piece(std::string_view bytes);
    [[nodiscard]] task<void> receive_head(http::method asked);
    [[nodiscard]] bool parse_head(http::method asked);
    void take_head(std::string_view bytes);
    [[nodiscard]] task<void> receive_beside(http::method asked, task_group& sending, task<void> (*then)(void*),
                                            void* with);
    [[nodiscard]] task<void> receive_more(bool within_head);
    [[nodiscard]] piece next_piece();
    [[nodiscard]] piece next_decoded();
    [[nodiscard]] std::string_view decoded(std::string_view coded);
    [[nodiscard]] piece next_chunk_piece();
    void count(std::size_t size);
    void end_body() noexcept;
    [[noreturn]] void fail(client_failure kind, const std::string& text);
    [[noreturn]] void fail_closed(bool within_head);
    [[nodiscard]] client_connection& connection() const noexcept { return lease_.connection(); }

    client_pool& pool_;
    client_pool::lease lease_;
    client_timeouts limits_;
    instant until_;
    std::uint64_t max_body_;
    std::uint64_t left_ = 0;      // of a body with a length
    std::uint64_t received_ = 0;  // of the body
    http::h1::received_head head_{};
    std::string bytes_;  // of the head
    std::vector<http::field_ref> fields_;
    std::unique_ptr<http::h1::chunked_decoder> chunked_;
    std::unique_ptr<decoding> decoding_;
    std::size_t parsed_size_ = 0;  // input looked at by the last attempt to parse a head
    std::uint32_t taken_ = 0;      // input given out by the last read()
    std::uint8_t interim_ = 0;
    bool reused_;
    bool any_input_ = false;
    bool closed_ = false;
    bool sent_ = false;     // the whole request
    bool sending_ = false;  // beside the response
    bool ended_ = false;
};

}  // namespace rondo::detail
