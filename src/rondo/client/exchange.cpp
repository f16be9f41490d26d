// SPDX-License-Identifier: Apache-2.0
#include <rondo/client/exchange.hpp>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

#include <rondo/client/exchange_decoding.hpp>
#include <rondo/coro/task_group.hpp>
#include <rondo/coro/this_context.hpp>
#include <rondo/http/h1/lenient_response_parser.hpp>
#include <rondo/http/h1/request_writer.hpp>
#include <rondo/loop/timeout.hpp>

namespace rondo::detail {

namespace {

constexpr std::size_t body_block_size = 16 * 1024;

bool requires_content_length(http::method m) noexcept {
    return m == http::method::post || m == http::method::put || m == http::method::patch;
}

}  // namespace

client_exchange::client_exchange(client_pool& pool, client_pool::lease connection, const client_timeouts& timeouts,
                                 instant deadline, std::uint64_t max_body) noexcept
    : pool_(pool),
      lease_(std::move(connection)),
      timeouts_(timeouts),
      deadline_(deadline),
      max_body_(max_body),
      reused_(lease_.is_reused()) {}

client_exchange::~client_exchange() = default;

void client_exchange::fail(client_failure kind, const std::string& text) {
    lease_.close();
    throw client_error(kind, text);
}

void client_exchange::fail_closed(bool within_head) {
    closed_ = true;
    fail(client_failure::closed, within_head ? "the server closed the connection without a response"
                                             : "the server closed the connection before the response was complete");
}

void client_exchange::write_head(const outgoing_request& request) {
    http::h1::request_parts parts;
    parts.method = request.method_text;
    parts.target = request.target;
    parts.host = request.host;
    parts.fields = request.fields;
    if (request.source) {
        const auto length = request.source->length();
        parts.body = length ? http::h1::framing::length : http::h1::framing::chunked;
        parts.content_length = length.value_or(0);
    } else if (request.has_body || requires_content_length(request.method)) {
        parts.body = http::h1::framing::length;
        parts.content_length = request.body.size();
    }
    const std::size_t bound = http::h1::request_size_bound(parts);
    if (bound > net::output_buffer::block_size)
        throw client_error(
            client_failure::request_too_large,
            fmt::format("URL and fields of the request have {} bytes; at most 64 KiB are allowed", bound));
    char* begin = connection().reserve(bound);
    connection().commit(static_cast<std::size_t>(http::h1::write_request_head(begin, parts) - begin));
    ++connection().requests;
}

task<void> client_exchange::transact(outgoing_request request, task<void> (*handler)(void* data), void* data) {
    write_head(request);
    if (!request.source && request.body.size() <= small_body_limit) {
        connection().write(request.body);
        request_sent_ = true;
        co_await receive_head(request.method);
        if (handler) co_await handler(data);
        co_return;
    }
    task_group group(co_await this_context());
    sending_ = true;
    group.spawn(receive_while_sending(request.method, group, handler, data));
    if (!group.empty()) group.spawn(send_body(request));
    co_await group.join();
    sending_ = false;
    if (ended_) end_body();
}

task<void> client_exchange::receive_while_sending(http::method method, task_group& sending,
                                                  task<void> (*handler)(void*), void* data) {
    co_await receive_head(method);
    if (handler) co_await handler(data);
    else if (to_int(head_.code) < 300) co_return;
    // Without the rest of the body the connection cannot be reused.
    sending.cancel();
}

task<void> client_exchange::send_body(outgoing_request request) {
    if (request.source) {
        const bool chunked = !request.source->length();
        co_await send_source(*request.source, chunked);
        co_return;
    }
    const bool complete = co_await send_piece(request.body);
    request_sent_ = complete;
}

task<void> client_exchange::send_source(client_body& source, bool chunked) {
    std::uint64_t remaining = source.length().value_or(0);
    for (;;) {
        std::string_view bytes = co_await source.read();
        if (bytes.empty()) break;
        if (!lease_) co_return;
        if (!chunked && bytes.size() > remaining)
            throw std::logic_error("the request body is longer than its source declared");
        remaining -= chunked ? 0 : bytes.size();
        if (chunked) {
            char* begin = connection().reserve(http::h1::max_chunk_header_size);
            connection().commit(static_cast<std::size_t>(http::h1::write_chunk_header(begin, bytes.size()) - begin));
        }
        const bool ok = co_await send_piece(bytes);
        if (!ok) co_return;
        if (chunked) connection().write(http::h1::chunk_end);
    }
    if (remaining > 0) throw std::logic_error("the request body is shorter than its source declared");
    if (!lease_) co_return;
    if (chunked) connection().write(http::h1::last_chunk);
    request_sent_ = true;
}

// False when the connection failed: the coroutine that reads the response reports why.
task<bool> client_exchange::send_piece(std::string_view bytes) {
    while (!bytes.empty()) {
        if (!lease_ || connection().failed()) co_return false;
        const std::string_view block = bytes.substr(0, body_block_size);
        bytes.remove_prefix(block.size());
        connection().write(block);
        if (connection().unsent_bytes() <= net::stream::high_water) continue;
        bool ok = false;
        bool late = false;
        try {
            ok = co_await connection().drained_until(std::min(deadline_, from_now(timeouts_.read)));
        } catch (const timed_out&) {
            late = true;
        }
        if (late) fail(client_failure::timeout, "the server stopped reading the request body");
        if (!ok) co_return false;
    }
    co_return true;
}

task<void> client_exchange::receive_head(http::method method) {
    for (;;) {
        const bool complete = parse_head(method);
        if (complete) co_return;
        co_await receive_more(true);
    }
}

// True when the final head is complete.
bool client_exchange::parse_head(http::method method) {
    for (;;) {
        const std::string_view input = connection().input();
        if (input.empty()) return false;
        response_started_ = true;
        // A head that arrives in small pieces is parsed again only when a line is complete.
        if (parsed_size_ && input.size() > parsed_size_ && input.size() < 2 * parsed_size_ &&
            !std::memchr(input.data() + parsed_size_, '\n', input.size() - parsed_size_))
            return false;
        std::string repaired;
        const auto parsed = http::h1::parse_response_head_leniently(input, method, pool_.options().head, pool_.fields(),
                                                                    head_, repaired);
        parsed_size_ = input.size();
        if (!parsed) {
            if (parsed.error() == http::h1::parse_error::incomplete) return false;
            fail(client_failure::protocol, fmt::format("invalid response: {}", to_string(parsed.error())));
        }
        parsed_size_ = 0;
        if (!head_.is_interim()) return accept_head(repaired.empty() ? input : repaired), true;
        if (++interim_count_ > max_interim_responses) fail(client_failure::protocol, "too many interim responses");
        connection().consume(head_.size);
    }
}

void client_exchange::accept_head(std::string_view bytes) {
    if (head_.body == http::h1::response_framing::tunnel)
        fail(client_failure::protocol, "unexpected 101 Switching Protocols");
    head_bytes_.assign(bytes.substr(0, head_.size));
    fields_.assign(head_.fields.begin(), head_.fields.end());
    head_.fields = {};
    connection().consume(head_.size);
    remaining_ = head_.content_length;
    const bool empty = head_.body == http::h1::response_framing::none ||
                       (head_.body == http::h1::response_framing::length && remaining_ == 0);
    if (empty) end_body();
    else if (head_.body == http::h1::response_framing::length && remaining_ > max_body_) count_body(0);
}

task<void> client_exchange::receive_more(bool within_head) {
    task_context* caller = co_await this_context();
    instant deadline = std::min(deadline_, from_now(timeouts_.read));
    if (caller) deadline = std::min(deadline, caller->deadline);
    net::input_event event{};
    bool late = false;
    try {
        event = co_await connection().receive_until(deadline);
    } catch (const timed_out&) {
        late = true;
    }
    if (late) {
        const bool read_timeout = deadline < deadline_ && (!caller || deadline < caller->deadline);
        fail(client_failure::timeout,
             read_timeout
                 ? fmt::format("the server sent nothing for {} ms", timeouts_.read.count())
                 : std::string(within_head ? "timed out waiting for the response" : "timed out reading the response"));
    }
    if (event == net::input_event::data) co_return;
    if (event == net::input_event::end && !within_head && head_.body == http::h1::response_framing::until_close)
        co_return end_body();
    fail_closed(within_head);
}

}  // namespace rondo::detail
