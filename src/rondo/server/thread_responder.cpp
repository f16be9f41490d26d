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
constexpr std::uint64_t most_unsent = 256 * 1024;
}  // namespace

// ---- the body ----

std::optional<std::uint64_t> thread_body::length() const noexcept { return of_.length_; }

const http::fields* thread_body::trailers() const noexcept { return ended_ ? of_.from_.body->trailers() : nullptr; }

void thread_body::check_limit() const {
    if (std::max(of_.received_, of_.length_.value_or(0)) <= limit_) return;
    throw http_error(http::status::content_too_large, "request body too large");
}

task<std::string_view> thread_body::read() {
    if (ended_) co_return std::string_view();
    if (of_.body_failure_) std::rethrow_exception(of_.body_failure_);
    check_limit();
    if (!std::exchange(given_, true) && of_.received_ > 0) {
        ended_ = of_.whole_body_;
        co_return of_.in_spool_ ? of_.spooled_.text() : of_.body_;
    }
    co_await read_through_loop();
    co_return rest_;
}

task<void> thread_body::read_through_loop() {
    std::unique_lock held(of_.mutex_);
    of_.read_wanted_ = true;
    of_.read_limit_ = limit_;
    of_.read_.reset();
    of_.tell_loop(held);
    while (true) {
        held.lock();
        if (of_.read_) break;
        of_.thread_waits_ = true;
        held.unlock();
        of_.heard_.reset();
        co_await of_.heard_.wait();
    }
    rest_ = *std::exchange(of_.read_, std::nullopt);
    ended_ = of_.rest_ended_;
    const std::exception_ptr failure = of_.read_failure_;
    held.unlock();
    if (failure) std::rethrow_exception(failure);
    if (rest_.empty()) ended_ = true;
}

// ---- the response ----

void thread_responder::keep_head(const handler::response_head& head) {
    if (begun()) throw response_error("response already started");
    if (http::to_int(head.code) < 200 || http::to_int(head.code) > 599)
        throw response_error("invalid response status " + std::to_string(http::to_int(head.code)) +
                             "; expected 200 to 599");
    code_ = head.code;
    omit_body_ = !body_wanted() || http::sent_without_content(head.code);
    // The loop reads this only after a notification, or when the thread is done.
    response_news& n = of_.news_;
    n.view = request_.view;
    n.code = head.code;
    n.content_type = head.content_type;
    if (head.fields) n.fields = *head.fields;
    n.close = head.close;
}

void thread_responder::respond(const handler::response_head& head, std::string_view body) {
    if (body.size() > small_body) throw response_error("body too large for respond(); use begin() and write()");
    const std::scoped_lock held(of_.mutex_);
    keep_head(head);
    of_.news_.head = response_news::state::respond;
    of_.news_.body = body;
    of_.untold_ = true;
    written_ = omit_body_ ? 0 : body.size();
    state_ = state::finished;
}

void thread_responder::begin(const handler::response_head& head, std::optional<std::uint64_t> length) {
    const std::scoped_lock held(of_.mutex_);
    keep_head(head);
    of_.news_.head = response_news::state::begin;
    of_.news_.length = length_ = length;
    of_.untold_ = true;
    state_ = state::begun;
    request_.running_in->deadline = instant::max();
}

void thread_responder::check_client() const {
    request_.running_in->token().check();
    const std::scoped_lock held(of_.mutex_);
    if (of_.client_gone_) throw std::system_error(EPIPE, std::generic_category(), "client disconnected");
}

void thread_responder::account(std::uint64_t size) {
    if (state_ != state::begun) throw response_error("write before the head or after the end of a response");
    if (length_ && !omit_body_ && size > *length_ - written_)
        throw response_error("more bytes written than declared for the response");
    written_ += size;
}

void thread_responder::send(response_news::piece p) {
    std::unique_lock held(of_.mutex_);
    of_.unsent_ += p.cost();
    of_.news_.pieces.push_back(std::move(p));
    // finish() follows immediately: one notification for both.
    if (complete()) of_.untold_ = true;
    else of_.tell_loop(held);
}

task<void> thread_responder::room() {
    while (true) {
        check_client();
        {
            const std::scoped_lock held(of_.mutex_);
            if (of_.unsent_ <= most_unsent) break;
            of_.thread_waits_ = true;
        }
        of_.heard_.reset();
        co_await of_.heard_.wait();
    }
}

task<void> thread_responder::write(std::string_view bytes) {
    check_client();
    account(bytes.size());
    if (bytes.empty() || omit_body_) co_return;
    response_news::piece p;
    p.bytes = bytes;
    send(std::move(p));
    if (!complete()) co_await room();
}

task<void> thread_responder::write_file(int fd, std::uint64_t offset, std::uint64_t length) {
    check_client();
    account(length);
    if (length == 0 || omit_body_) co_return;
    response_news::piece p;
    p.file.reset(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
    if (!p.file) throw std::system_error(errno, std::generic_category(), "cannot duplicate a file descriptor");
    p.offset = offset;
    p.length = length;
    send(std::move(p));
    if (!complete()) co_await room();
}

void thread_responder::finish() {
    if (state_ != state::begun) throw response_error("finish() without a started response");
    if (length_ && !omit_body_ && written_ != *length_)
        throw response_error("fewer bytes written than declared for the response");
    state_ = state::finished;
    const std::scoped_lock held(of_.mutex_);
    of_.news_.how = response_news::end::finish;
    of_.untold_ = true;
}

void thread_responder::abort_as(http::status instead) noexcept {
    if (state_ == state::finished || state_ == state::aborted) return;
    state_ = state::aborted;
    const std::scoped_lock held(of_.mutex_);
    of_.news_.how = response_news::end::abort;
    of_.news_.instead = instead;
    of_.untold_ = true;
}

}  // namespace rondo::server
