// SPDX-License-Identifier: Apache-2.0
#include <rondo/server/exchange.hpp>

#include <cstring>
#include <new>
#include <system_error>

#include <fmt/format.h>

#include <rondo/base/frame_memory.hpp>
#include <rondo/handler/error.hpp>
#include <rondo/server/connection.hpp>
#include <rondo/server/server.hpp>

namespace rondo::server {

namespace {

constexpr std::size_t align_up(std::size_t size) {
    return (size + alignof(std::max_align_t) - 1) & ~(alignof(std::max_align_t) - 1);
}

}  // namespace

exchange* exchange::make(connection& c, const char* bytes, const http::h1::request_head& head) {
    std::size_t fields_at = align_up(sizeof(exchange));
    std::size_t head_at = fields_at + head.fields.size() * sizeof(http::field_ref);
    std::size_t used = head_at + head.size;
    std::size_t total = (used + frame_memory::size_step - 1) & ~(frame_memory::size_step - 1);
    auto* memory = static_cast<char*>(frame_memory::allocate(total));
    std::memcpy(memory + fields_at, head.fields.data(), head.fields.size() * sizeof(http::field_ref));
    std::memcpy(memory + head_at, bytes, head.size);
    auto* x = new (memory) exchange(c, memory + head_at, head, memory + used, total - used);
    x->size_ = static_cast<std::uint32_t>(total);
    x->request_.fields = {memory + head_at,
                          {reinterpret_cast<http::field_ref*>(memory + fields_at), head.fields.size()}};
    if (c.server_.behind_proxies_) x->read_forwarded();
    return x;
}

void exchange::destroy() noexcept {
    std::size_t size = size_;
    connection_.consume(unconsumed_);
    this->~exchange();
    frame_memory::deallocate(this, size);
}

exchange::exchange(connection& c, const char* bytes, const http::h1::request_head& head, char* spare,
                   std::size_t spare_size)
    : connection_(c), arena_(spare, spare_size), limit_(c.server_.options_.max_body), secure_(c.secure_) {
    set_request(c, bytes, head);
    keep_alive_ = head.keep_alive;
    continue_pending_ = head.expect == http::h1::expectation::continue_100 && head.body != http::h1::framing::none;
    chunked_body_ = head.body == http::h1::framing::chunked;
    remaining_ = head.content_length;
    if (chunked_body_ || remaining_ > 0) body_state_ = body_state::reading;
    else continue_pending_ = false;
}

void exchange::set_request(connection& c, const char* bytes, const http::h1::request_head& head) {
    request_.method = head.method;
    request_.version_minor = head.minor;
    request_.has_query = head.has_query;
    request_.method_text = head.method_text.view(bytes);
    request_.target = head.target.view(bytes);
    request_.path = head.path.view(bytes);
    request_.query = head.query.view(bytes);
    request_.authority = head.authority.view(bytes);
    request_.body = this;
    request_.connection = this;
    request_.context = &context_;
    request_.arrived = c.server_.loop_.now();
    request_.memory = &arena_;
    request_.draining = &c.server_.drain_started_;
    request_.stats = &c.server_.stats_;
    context_.deadline = c.server_.request_deadline(request_.arrived);
}

bool exchange::run(handler::application& app, thread_activity& activity) {
    app_task_ = app.serve(request_, *this);
    auto start = app_task_.coroutine();
    start.promise().set_context(&context_);
    start.promise().set_completion_handler(this);
    activity.enter(&context_);
    detail::start_task(start);
    activity.enter(nullptr);
    return app_finished_;
}

std::coroutine_handle<> exchange::on_completion(std::coroutine_handle<>, std::size_t waiting,
                                                std::exception_ptr) noexcept {
    app_finished_ = true;
    if (waiting == 0) return std::noop_coroutine();
    return std::coroutine_handle<>::from_address(reinterpret_cast<void*>(waiting));
}

std::exception_ptr exchange::take_failure() noexcept {
    std::exception_ptr failure = app_task_.coroutine().promise().failure();
    app_task_ = {};
    return failure;
}

http::h1::framing exchange::framing_for(http::status code, std::optional<std::uint64_t> length) const noexcept {
    if (http::forbids_body(code)) return http::h1::framing::none;
    if (length || code == http::status::reset_content) return http::h1::framing::length;
    return request_.version_minor == 0 ? http::h1::framing::none : http::h1::framing::chunked;
}

void exchange::write_head(const handler::response_head& head, http::h1::framing framing, std::uint64_t length,
                          std::size_t body_room, std::string_view body, bool whole) {
    net::stream& s = connection_;
    keep_alive_ = keep_alive_ && connection_.keep_open_ && !connection_.draining_ && !head.close;
    if (body_state_ != body_state::ended && !can_skip_body(whole)) {
        keep_alive_ = false;
        connection_.linger_ = true;
    }
    bool ends_with_connection = framing == http::h1::framing::none && !omit_body_;
    if (ends_with_connection) keep_alive_ = false;
    connection_.keep_open_ = keep_alive_;

    http::h1::response_parts out;
    out.code = head.code;
    out.body = framing;
    out.content_length = length;
    if (!head.has_date) out.date = connection_.server_.date();
    out.reason = head.reason;
    out.content_type = head.content_type;
    out.fields = head.fields;
    if (!keep_alive_) out.connection = http::h1::connection_option::close;
    else if (request_.version_minor == 0) out.connection = http::h1::connection_option::keep_alive;

    std::size_t bound = http::h1::response_size_bound(out);
    if (bound + body_room > net::output_buffer::block_size)
        throw response_error(fmt::format("response head needs {} bytes; at most {} are allowed", bound,
                                         net::output_buffer::block_size - body_room));
    corked_at_start_ = static_cast<std::uint32_t>(s.corked());
    flushes_at_start_ = s.flush_count();
    char* begin = s.reserve(bound + body_room);
    if (s.flush_count() != flushes_at_start_) {  // the block was full of earlier responses
        flushes_at_start_ = s.flush_count();
        corked_at_start_ = 0;
    }
    char* end = http::h1::write_response_head(begin, out);
    if (!body.empty()) {
        std::memcpy(end, body.data(), body.size());
        end += body.size();
    }
    s.commit(static_cast<std::size_t>(end - begin));
}

void exchange::require_not_started(const handler::response_head& head) const {
    if (has_started()) throw response_error("response already started");
    // The client would keep waiting after an interim status.
    if (http::to_int(head.code) < 200 || http::to_int(head.code) > 599)
        throw response_error(fmt::format("invalid response status {}; expected 200 to 599", http::to_int(head.code)));
    if (!head.reason.empty() && !http::is_valid_field_value(head.reason))
        throw response_error("invalid reason phrase of a response");
}

void exchange::inform(http::status code, const http::fields& fields) {
    if (has_started()) throw response_error("interim response after the response has started");
    check_interim(code);
    if (request_.version_minor == 0) return;
    http::h1::response_parts out;
    out.code = code;
    out.fields = &fields;
    std::size_t bound = http::h1::response_size_bound(out);
    if (bound > net::output_buffer::block_size)
        throw response_error(fmt::format("interim response needs {} bytes; at most {} are allowed", bound,
                                         net::output_buffer::block_size));
    net::stream& s = connection_;
    char* begin = s.reserve(bound);
    s.commit(static_cast<std::size_t>(http::h1::write_response_head(begin, out) - begin));
}

void exchange::respond(const handler::response_head& head, std::string_view bytes) {
    require_not_started(head);
    code_ = head.code;
    if (head.code == http::status::reset_content) bytes = {};
    omit_body_ = !needs_body() || http::sent_without_content(head.code);
    written_ = omit_body_ ? 0 : bytes.size();
    auto framing = framing_for(head.code, bytes.size());
    if (omit_body_) write_head(head, framing, bytes.size(), 0, {}, true);
    else write_head(head, framing, bytes.size(), bytes.size(), bytes, true);
    state_ = state::finished;
}

void exchange::start(const handler::response_head& head, std::optional<std::uint64_t> length) {
    require_not_started(head);
    code_ = head.code;
    omit_body_ = !needs_body() || http::sent_without_content(head.code);
    framing_ = framing_for(head.code, length);
    declared_length_ = head.code == http::status::reset_content ? 0 : length.value_or(0);
    write_head(head, framing_, declared_length_, 0, {}, false);
    state_ = state::started;
    // From here on only the write time-out applies.
    context_.deadline = instant::max();
    if (connection_.phase_ == connection::phase::serving)
        connection_.enter_phase(connection::phase::serving, clock::duration::max());
}

void exchange::check_connected() const {
    if (context_.cancel.is_cancelled() || connection_.failed()) throw_disconnected();
}

void exchange::check_written(std::uint64_t size) const {
    if (state_ != state::started) throw response_error("write before the head or after the end of a response");
    if (framing_ == http::h1::framing::length && !omit_body_ && written_ + size > declared_length_)
        throw response_error("more bytes written than declared for the response");
}

void exchange::add_written(std::uint64_t size) {
    check_written(size);
    written_ += size;
}

void exchange::mark_resumed() noexcept {
    connection_.server_.loop_.activity().enter(&context_);
    request_.enter(stats::request_state::loop);
}

void exchange::throw_disconnected() const {
    if (context_.cancel.is_cancelled()) throw cancelled{context_.cancel.reason()};
    throw std::system_error(EPIPE, std::generic_category(), "client disconnected");
}

task<void> exchange::wait_until_drained() {
    net::stream& s = connection_;
    connection_.enter_writing_phase();
    request_.enter(stats::request_state::sending_response);
    bool sent = co_await s.drained();
    mark_resumed();
    connection_.enter_phase(connection::phase::serving, clock::duration::max());
    if (!sent) throw_disconnected();
}

void exchange::write_copy(std::string_view bytes) {
    net::stream& s = connection_;
    if (framing_ != http::h1::framing::chunked) return s.write(bytes);
    bool small = bytes.size() <= small_body_limit;
    char* begin = s.reserve(http::h1::max_chunk_header_size + (small ? bytes.size() + 2 : 0));
    char* end = http::h1::write_chunk_header(begin, bytes.size());
    if (small) {
        std::memcpy(end, bytes.data(), bytes.size());
        end += bytes.size();
        *end++ = '\r';
        *end++ = '\n';
    }
    s.commit(static_cast<std::size_t>(end - begin));
    if (small) return;
    s.write(bytes);
    s.write(http::h1::chunk_end);
}

task<void> exchange::write(std::string_view bytes) {
    net::stream& s = connection_;
    check_connected();
    add_written(bytes.size());
    if (bytes.empty() || omit_body_) co_return;
    if (bytes.size() <= small_body_limit) {
        write_copy(bytes);
    } else {
        bool chunked = framing_ == http::h1::framing::chunked;
        if (chunked) {
            char* begin = s.reserve(http::h1::max_chunk_header_size);
            s.commit(static_cast<std::size_t>(http::h1::write_chunk_header(begin, bytes.size()) - begin));
        }
        connection_.enter_writing_phase();
        request_.enter(stats::request_state::sending_response);
        bool sent = co_await s.write_all(bytes);
        mark_resumed();
        connection_.enter_phase(connection::phase::serving, clock::duration::max());
        if (!sent) throw_disconnected();
        if (chunked) s.write(http::h1::chunk_end);
    }
    if (s.unsent_bytes() > net::stream::high_water) co_await wait_until_drained();
}

bool exchange::try_write(std::string_view bytes) {
    net::stream& s = connection_;
    check_connected();
    check_written(bytes.size());
    if (!bytes.empty() && !omit_body_) {
        if (bytes.size() > large_write || s.unsent_bytes() > net::stream::high_water) return false;
        write_copy(bytes);
    }
    written_ += bytes.size();
    return true;
}

task<void> exchange::wait_for_room() {
    net::stream& s = connection_;
    check_connected();
    check_written(0);
    if (s.unsent_bytes() > net::stream::high_water) co_await wait_until_drained();
}

task<void> exchange::write_file(int fd, std::uint64_t offset, std::uint64_t length) {
    net::stream& s = connection_;
    check_connected();
    add_written(length);
    if (length == 0 || omit_body_) co_return;
    bool chunked = framing_ == http::h1::framing::chunked;
    if (chunked) {
        char* begin = s.reserve(http::h1::max_chunk_header_size);
        s.commit(static_cast<std::size_t>(http::h1::write_chunk_header(begin, length) - begin));
    }
    connection_.enter_writing_phase();
    request_.enter(stats::request_state::sending_response);
    bool sent = co_await s.write_file(fd, offset, length);
    mark_resumed();
    connection_.enter_phase(connection::phase::serving, clock::duration::max());
    if (!sent) {
        if (s.failed() || context_.cancel.is_cancelled()) throw_disconnected();
        throw response_error("file truncated while it was sent");
    }
    if (chunked) s.write(http::h1::chunk_end);
}

void exchange::check_complete() const {
    if (state_ != state::started) throw response_error("finish() without a started response");
    if (framing_ == http::h1::framing::length && !omit_body_ && written_ != declared_length_)
        throw response_error("fewer bytes written than declared for the response");
}

void exchange::finish() {
    check_complete();
    if (framing_ == http::h1::framing::chunked && !omit_body_) connection_.write(http::h1::last_chunk);
    state_ = state::finished;
}

void exchange::finish_with(const http::fields& trailers) {
    check_complete();
    check_trailers(trailers);
    if (framing_ == http::h1::framing::chunked && !omit_body_) {
        // Other clients may ignore the trailers, or merge them into the head (RFC 9110 section 6.5.1).
        const bool accepted = !trailers.empty() && request_.fields.contains_token("TE", "trailers");
        connection_.write(http::h1::last_chunk_header);
        if (accepted) connection_.write(trailers.wire());
        connection_.write("\r\n");
    }
    state_ = state::finished;
}

void exchange::abort_with(http::status instead) noexcept {
    if (state_ == state::finished || state_ == state::aborted) return;
    net::stream& s = connection_;
    bool unsent = state_ == state::waiting || s.flush_count() == flushes_at_start_;
    bool was_started = state_ == state::started;
    state_ = state::aborted;
    connection_.keep_open_ = false;
    if (s.failed()) return;
    if (unsent) {
        // Nothing of this response was sent yet: the client receives an error response instead.
        if (was_started) s.truncate_corked(corked_at_start_);
        try {
            connection_.refuse(instead);
            code_ = instead;
        } catch (...) {
            connection_.reset_ = true;
        }
        return;
    }
    // Without a length or chunks only an RST shows the client that the body is incomplete.
    if (framing_ == http::h1::framing::none || (framing_ == http::h1::framing::length && written_ >= declared_length_))
        connection_.reset_ = true;
}

void exchange::probe_client() noexcept {
    if (state_ == state::started && request_.listener != nullptr) return request_.listener->on_half_closed();
    if (state_ != state::waiting || request_.version_minor == 0) return;
    try {
        connection_.write(http::h1::continue_head);
        continue_pending_ = false;
    } catch (...) {
        // Out of memory: a disconnected client is detected when the response is written.
    }
}

}  // namespace rondo::server
