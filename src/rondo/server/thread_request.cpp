// SPDX-License-Identifier: Apache-2.0
#include <rondo/server/thread_request.hpp>

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <utility>

#include <rondo/coro/blocking_wait_scope.hpp>
#include <rondo/handler/error.hpp>
#include <rondo/loop/coalescing_buffer.hpp>
#include <rondo/server/thread_responder.hpp>

namespace rondo::server {

thread_request::cancel_forwarder::cancel_forwarder(thread_request& r) noexcept
    : cancel_callback([](cancel_callback& self, cancel_reason reason) noexcept {
          static_cast<cancel_forwarder&>(self).owner_.cancel(reason);
      }),
      owner_(r) {}

thread_request::thread_request(handler::application& app, view_thread_pool& threads, handler::request& from,
                               handler::responder& to, std::size_t body_in_memory) noexcept
    : app_(app),
      threads_(threads),
      request_(from),
      responder_(to),
      loop_(event_loop::current()),
      cancel_callback_(*this),
      spool_(body_in_memory) {}

thread_request::pointer thread_request::make(handler::application& app, view_thread_pool& threads,
                                             handler::request& from, handler::responder& to,
                                             std::size_t body_in_memory) {
    return pointer(new thread_request(app, threads, from, to, body_in_memory));
}

void thread_request::release() noexcept {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

void thread_request::abandon() noexcept {
    cancel_callback_.unlink();
    waiting_.clear_coroutine();
    if (queued_ && !finished_ && removal_reason_ == cancel_reason::none) {
        cancel(cancel_reason::drain);
        if (removal_reason_ == cancel_reason::none) released_by_thread_.wait(false);
        waiting_.unlink();
    }
    offload_.reset();
    release();
}

// ---- the body ----

task<void> thread_request::receive_body() {
    handler::body& body = *request_.body;
    length_ = body.length();
    limit_ = body.limit();
    const std::uint64_t limit = app_.body_limit(request_).value_or(limit_);
    // Too large: the reader gets the error, or raises the limit.
    if (limit == 0 || length_.value_or(0) > limit) co_return;
    body.limit(limit);
    try {
        co_await receive_pieces();
    } catch (const cancelled&) {
        throw;
    } catch (const http_error& e) {
        if (e.code() != http::status::content_too_large) body_failure_ = std::current_exception();
    } catch (...) {
        body_failure_ = std::current_exception();
    }
    body.limit(limit_);
}

task<void> thread_request::receive_pieces() {
    handler::body& body = *request_.body;
    std::string_view piece = co_await body.read();
    if (body.is_at_end()) {
        body_ = piece;  // stays valid: nothing is read after it
        received_ = piece.size();
        body_complete_ = true;
        co_return;
    }
    in_spool_ = true;
    spool_.reserve(length_.value_or(0));
    pool_batch batch;
    const auto write = [this, &batch] { spool_.append(batch.bytes()); };
    std::exception_ptr failure;
    try {
        while (!piece.empty()) {
            received_ += piece.size();
            if (batch.empty() && !spool_.would_block(piece.size())) {
                spool_.append(piece);
            } else if (batch.add(piece)) {
                co_await run_blocking(write);
                batch.clear();
            }
            piece = co_await body.read();
        }
    } catch (const http_error&) {
        failure = std::current_exception();  // of the rest: the received part can still be read
    }
    if (!batch.empty()) co_await run_blocking(write);
    if (failure) std::rethrow_exception(failure);
    body_complete_ = true;
}

task<void> thread_request::read_for_thread() {
    std::string bytes;
    std::exception_ptr failure;
    request_.body->limit(read_limit_);
    try {
        bytes = co_await request_.body->read();
    } catch (...) {
        failure = std::current_exception();
    }
    std::unique_lock held(mutex_);
    read_result_ = std::move(bytes);
    read_failure_ = failure;
    body_ended_ = request_.body->is_at_end();
    notify_thread(held);
}

// ---- the loop's side ----

void thread_request::submit() {
    request_.context->token().check();
    offload_.emplace(request_, stats::request_state::pool_queue);
    references_.store(2, std::memory_order_relaxed);
    released_by_thread_.store(false, std::memory_order_relaxed);
    try {
        threads_.pool().submit(*this, request_.context->deadline);
    } catch (...) {
        references_.store(1, std::memory_order_relaxed);
        throw;
    }
    queued_ = true;
    request_.context->cancel.add(cancel_callback_);
}

bool thread_request::update_awaiter::suspend(std::coroutine_handle<> caller, task_context* context) noexcept {
    thread_request& r = request_;
    r.waiting_.set_coroutine(caller, context);
    const std::scoped_lock held(r.mutex_);
    if (r.loop_notified_) return false;
    r.loop_waiting_ = true;
    return true;
}

void thread_request::update_awaiter::await_resume() const {
    request_.waiting_.clear_coroutine();
    if (request_.removal_reason_ != cancel_reason::none) throw cancelled{request_.removal_reason_};
}

void thread_request::run_on_loop() noexcept {
    if (waiting_.has_coroutine()) waiting_.wake();
    release();
}

void thread_request::cancel(cancel_reason reason) noexcept {
    if (threads_.pool().remove(*this)) {
        removal_reason_ = reason;
        references_.fetch_sub(1, std::memory_order_relaxed);
        if (waiting_.has_coroutine()) waiting_.wake();
        return;
    }
    const std::scoped_lock held(mutex_);
    if (reason_ == cancel_reason::none) reason_ = reason;
    if (!context_) return;
    context_->cancel.request(reason);  // visible to a view that polls its token without waiting
    thread_->wake();
}

void thread_request::fail(std::exception_ptr cause) noexcept {
    if (!failure_) failure_ = std::move(cause);
    std::unique_lock held(mutex_);
    client_disconnected_ = true;
    notify_thread(held);
}

void thread_request::finish() noexcept {
    finished_ = true;
    cancel_callback_.unlink();
    if (update_.view_row != 0) request_.view_row = update_.view_row;
    offload_.reset();
}

bool thread_request::try_deliver_at_once() {
    {
        const std::scoped_lock held(mutex_);
        if (!thread_done_) return false;
    }
    // The thread no longer accesses the shared state.
    if (update_.head != response_update::state::respond || !update_.interim.empty()) return false;
    finish();
    failure_ = thread_failure_;
    try {
        responder_.respond(update_.response_head(), update_.body);
    } catch (...) {
        failure_ = std::current_exception();
    }
    return true;
}

task<void> thread_request::deliver() {
    std::unique_lock held(mutex_);
    const response_update update = std::exchange(update_, {});
    if (update.view_row != 0) request_.view_row = update.view_row;
    const bool ended = thread_done_;
    const bool read = std::exchange(read_requested_, false);
    loop_notified_ = notify_pending_ = false;
    held.unlock();
    std::exception_ptr failed;
    try {
        if (!failure_) deliver_head(update);
        if (!failure_) co_await deliver_pieces(update);
        if (!failure_) deliver_end(update);
    } catch (...) {
        failed = std::current_exception();
    }
    if (failed) fail(failed);
    if (update.completion == response_update::end::abort) responder_.abort_with(update.abort_status);
    if (read) co_await read_for_thread();
    if (!ended) co_return;
    finish();
    if (thread_failure_) failure_ = thread_failure_;
}

void thread_request::deliver_head(const response_update& update) {
    for (const response_update::interim_response& r : update.interim) responder_.inform(r.code, r.fields);
    if (update.head == response_update::state::respond) responder_.respond(update.response_head(), update.body);
    else if (update.head == response_update::state::start) responder_.start(update.response_head(), update.length);
}

task<void> thread_request::deliver_pieces(const response_update& update) {
    for (const response_update::piece& p : update.pieces) {
        if (p.file) co_await responder_.write_file(p.file.value(), p.offset, p.length);
        else co_await responder_.write(p.bytes);
        std::unique_lock held(mutex_);
        unsent_bytes_ -= p.cost();
        notify_thread(held);
    }
}

void thread_request::deliver_end(const response_update& update) {
    if (update.completion == response_update::end::finish) responder_.finish_with(update.trailers);
}

// ---- the thread's side ----

void thread_request::notify_loop(std::unique_lock<std::mutex>& held) noexcept {
    loop_notified_ = true;
    const bool wakes = std::exchange(loop_waiting_, false);
    if (wakes) references_.fetch_add(1, std::memory_order_relaxed);
    held.unlock();
    if (wakes) loop_.post(static_cast<posted_task&>(*this));
}

void thread_request::notify_thread(std::unique_lock<std::mutex>& held) noexcept {
    if (std::exchange(thread_waiting_, false) && thread_) thread_->wake();
    held.unlock();
}

void thread_request::on_update() noexcept {
    cancel_reason reason;
    {
        const std::scoped_lock held(mutex_);
        reason = reason_;
    }
    ready_queue::batch batch;
    thread_wakeup_.set();
    if (reason != cancel_reason::none && context_) context_->cancel.cancel(reason);
}

void thread_request::before_wait() noexcept {
    std::unique_lock held(mutex_);
    if (std::exchange(notify_pending_, false)) notify_loop(held);
}

void thread_request::run_on_thread() noexcept {
    try {
        run_view(threads_.current_thread());
    } catch (const std::exception& e) {
        thread_failure_ = std::make_exception_ptr(pool_full(
            std::string("cannot create the event loop of a view thread: ") + e.what(), std::chrono::seconds(1)));
    }
    std::unique_lock held(mutex_);
    thread_done_ = true;
    notify_loop(held);
    released_by_thread_.store(true);
    released_by_thread_.notify_all();
    release();
}

void thread_request::run_view(view_thread& thread) {
    task_context context;
    context.deadline = request_.context->deadline;
    const handler::offload_timer::scope running(*offload_, stats::request_state::pool_thread);
    handler::request request = request_;
    thread_body body(*this);
    thread_responder responder(*this, request);
    request.has_own_thread = true;
    request.body = &body;
    request.context = &context;
    request.draining = request_.draining ? &thread.draining() : nullptr;
    {
        const std::scoped_lock held(mutex_);
        thread_ = &thread;
        context_ = &context;
        if (reason_ != cancel_reason::none) context.cancel.cancel(reason_);
    }
    thread.set_current(this);
    application_called_ = true;
    const blocking_scope blocking(&context);
    try {
        thread.loop().run_until(app_.serve(request, responder), &context);
    } catch (...) {
        thread_failure_ = std::current_exception();
    }
    thread.set_current(nullptr);
    const std::scoped_lock held(mutex_);
    update_.view_row = request.view_row;
    thread_ = nullptr;
    context_ = nullptr;
}

}  // namespace rondo::server
