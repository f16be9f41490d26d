// SPDX-License-Identifier: Apache-2.0
#include <rondo/server/thread_responder.hpp>

#include <cerrno>
#include <system_error>
#include <utility>

#include <fcntl.h>

#include <rondo/handler/error.hpp>

namespace rondo::server {

namespace {
// Bytes that the thread may write ahead of the loop.
constexpr std::uint64_t max_unsent_bytes = 256 * 1024;
}  // namespace

// ---- the body ----

std::optional<std::uint64_t> thread_body::length() const noexcept { return thread_request_.length_; }

const http::fields* thread_body::trailers() const noexcept {
    return ended_ ? thread_request_.request_.body->trailers() : nullptr;
}

void thread_body::check_limit() const {
    if (std::max(thread_request_.received_, thread_request_.length_.value_or(0)) <= limit_) return;
    throw http_error(http::status::content_too_large, "request body too large");
}

std::optional<std::string_view> thread_body::try_read() {
    if (ended_) return std::string_view();
    if (thread_request_.body_failure_) std::rethrow_exception(thread_request_.body_failure_);
    check_limit();
    if (std::exchange(received_part_read_, true) || thread_request_.received_ == 0) return std::nullopt;
    ended_ = thread_request_.body_complete_;
    return thread_request_.in_spool_ ? thread_request_.spool_.text() : thread_request_.body_;
}

task<std::string_view> thread_body::read() {
    const std::optional<std::string_view> received = try_read();
    if (received) co_return *received;
    co_await read_through_loop();
    co_return piece_;
}

task<void> thread_body::read_through_loop() {
    std::unique_lock held(thread_request_.mutex_);
    thread_request_.read_requested_ = true;
    thread_request_.read_limit_ = limit_;
    thread_request_.read_result_.reset();
    thread_request_.notify_loop(held);
    while (true) {
        held.lock();
        if (thread_request_.read_result_) break;
        thread_request_.thread_waiting_ = true;
        held.unlock();
        thread_request_.thread_wakeup_.reset();
        co_await thread_request_.thread_wakeup_.wait();
    }
    piece_ = *std::exchange(thread_request_.read_result_, std::nullopt);
    ended_ = thread_request_.body_ended_;
    const std::exception_ptr failure = thread_request_.read_failure_;
    held.unlock();
    if (failure) std::rethrow_exception(failure);
    if (piece_.empty()) ended_ = true;
}

// ---- the response ----

void thread_responder::set_head(const handler::response_head& head) {
    if (has_started()) throw response_error("response already started");
    if (http::to_int(head.code) < 200 || http::to_int(head.code) > 599)
        throw response_error("invalid response status " + std::to_string(http::to_int(head.code)) +
                             "; expected 200 to 599");
    if (!head.reason.empty() && !http::is_valid_field_value(head.reason))
        throw response_error("invalid reason phrase of a response");
    code_ = head.code;
    omit_body_ = !needs_body() || http::sent_without_content(head.code);
    // The loop reads this only after a notification, or when the thread is done.
    response_update& update = thread_request_.update_;
    update.view_row = request_.view_row;
    update.code = head.code;
    update.content_type = head.content_type;
    if (head.fields) update.fields = *head.fields;
    update.close = head.close;
    update.has_date = head.has_date;
    update.reason = head.reason;
}

void thread_responder::respond(const handler::response_head& head, std::string_view body) {
    if (body.size() > small_body_limit) throw response_error("body too large for respond(); use start() and write()");
    const std::scoped_lock held(thread_request_.mutex_);
    set_head(head);
    thread_request_.update_.head = response_update::state::respond;
    thread_request_.update_.body = body;
    thread_request_.notify_pending_ = true;
    written_ = omit_body_ ? 0 : body.size();
    state_ = state::finished;
}

void thread_responder::inform(http::status code, const http::fields& fields) {
    if (has_started()) throw response_error("interim response after the response has started");
    check_interim(code);
    if (request_.version_minor == 0) return;
    std::unique_lock held(thread_request_.mutex_);
    thread_request_.update_.interim.push_back({code, fields});
    thread_request_.notify_loop(held);
}

void thread_responder::start(const handler::response_head& head, std::optional<std::uint64_t> length) {
    const std::scoped_lock held(thread_request_.mutex_);
    set_head(head);
    thread_request_.update_.head = response_update::state::start;
    thread_request_.update_.length = length_ = length;
    thread_request_.notify_pending_ = true;
    state_ = state::started;
    request_.context->deadline = instant::max();
}

void thread_responder::check_connected() const {
    request_.context->token().check();
    const std::scoped_lock held(thread_request_.mutex_);
    if (thread_request_.client_disconnected_)
        throw std::system_error(EPIPE, std::generic_category(), "client disconnected");
}

void thread_responder::check_written(std::uint64_t size) const {
    if (state_ != state::started) throw response_error("write before the head or after the end of a response");
    if (length_ && !omit_body_ && size > *length_ - written_)
        throw response_error("more bytes written than declared for the response");
}

void thread_responder::add_written(std::uint64_t size) {
    check_written(size);
    written_ += size;
}

void thread_responder::send_piece(response_update::piece p) {
    std::unique_lock held(thread_request_.mutex_);
    thread_request_.unsent_bytes_ += p.cost();
    thread_request_.update_.pieces.push_back(std::move(p));
    // finish() follows immediately: one notification for both.
    if (is_complete()) thread_request_.notify_pending_ = true;
    else thread_request_.notify_loop(held);
}

bool thread_responder::has_room() const {
    const std::scoped_lock held(thread_request_.mutex_);
    return thread_request_.unsent_bytes_ <= max_unsent_bytes;
}

task<void> thread_responder::wait_for_room() {
    check_written(0);
    while (true) {
        check_connected();
        {
            const std::scoped_lock held(thread_request_.mutex_);
            if (thread_request_.unsent_bytes_ <= max_unsent_bytes) break;
            thread_request_.thread_waiting_ = true;
        }
        thread_request_.thread_wakeup_.reset();
        co_await thread_request_.thread_wakeup_.wait();
    }
}

task<void> thread_responder::write(std::string_view bytes) {
    check_connected();
    add_written(bytes.size());
    if (bytes.empty() || omit_body_) co_return;
    response_update::piece p;
    p.bytes = bytes;
    send_piece(std::move(p));
    if (!is_complete()) co_await wait_for_room();
}

bool thread_responder::try_write(std::string_view bytes) {
    check_connected();
    check_written(bytes.size());
    const bool is_sent = !bytes.empty() && !omit_body_;
    if (is_sent && (bytes.size() > large_write || !has_room())) return false;
    written_ += bytes.size();
    if (!is_sent) return true;
    response_update::piece p;
    p.bytes = bytes;
    send_piece(std::move(p));
    return true;
}

task<void> thread_responder::write_file(int fd, std::uint64_t offset, std::uint64_t length) {
    check_connected();
    add_written(length);
    if (length == 0 || omit_body_) co_return;
    response_update::piece p;
    p.file.reset(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
    if (!p.file) throw std::system_error(errno, std::generic_category(), "cannot duplicate a file descriptor");
    p.offset = offset;
    p.length = length;
    send_piece(std::move(p));
    if (!is_complete()) co_await wait_for_room();
}

void thread_responder::finish_with(const http::fields& trailers) {
    if (state_ != state::started) throw response_error("finish() without a started response");
    if (length_ && !omit_body_ && written_ != *length_)
        throw response_error("fewer bytes written than declared for the response");
    check_trailers(trailers);
    state_ = state::finished;
    const std::scoped_lock held(thread_request_.mutex_);
    thread_request_.update_.trailers = trailers;
    thread_request_.update_.completion = response_update::end::finish;
    thread_request_.notify_pending_ = true;
}

void thread_responder::abort_with(http::status instead) noexcept {
    if (state_ == state::finished || state_ == state::aborted) return;
    state_ = state::aborted;
    const std::scoped_lock held(thread_request_.mutex_);
    thread_request_.update_.completion = response_update::end::abort;
    thread_request_.update_.abort_status = instead;
    thread_request_.notify_pending_ = true;
}

}  // namespace rondo::server
