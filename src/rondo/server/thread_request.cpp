// SPDX-License-Identifier: Apache-2.0
#include <rondo/server/thread_request.hpp>

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <utility>

#include <rondo/coro/blocking_scope.hpp>
#include <rondo/handler/error.hpp>
#include <rondo/loop/pool_batch.hpp>
#include <rondo/server/thread_responder.hpp>

namespace rondo::server {

thread_request::cancel_link::cancel_link(thread_request& r) noexcept
    : cancel_callback([](cancel_callback& self, cancel_reason reason) noexcept {
          static_cast<cancel_link&>(self).owner_.cancel(reason);
      }),
      owner_(r) {}

thread_request::thread_request(handler::application& app, view_threads& threads, handler::request& from,
                               handler::responder& to, std::size_t body_in_memory) noexcept
    : app_(app),
      threads_(threads),
      from_(from),
      to_(to),
      loop_(event_loop::current()),
      link_(*this),
      spooled_(body_in_memory) {}

thread_request::owner thread_request::make(handler::application& app, view_threads& threads, handler::request& from,
                                           handler::responder& to, std::size_t body_in_memory) {
    return owner(new thread_request(app, threads, from, to, body_in_memory));
}

void thread_request::let_go() noexcept {
    if (holders_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

void thread_request::leave() noexcept {
    link_.unlink();
    waiting_.release();
    if (queued_ && !over_ && withdrawn_ == cancel_reason::none) {
        cancel(cancel_reason::drain);
        if (withdrawn_ == cancel_reason::none) left_thread_.wait(false);
        waiting_.unlink();
    }
    hop_.reset();
    let_go();
}

// ---- the body ----

task<void> thread_request::receive_body() {
    handler::body& body = *from_.body;
    length_ = body.length();
    limit_ = body.limit();
    const std::uint64_t limit = app_.body_limit(from_).value_or(limit_);
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
    handler::body& body = *from_.body;
    std::string_view piece = co_await body.read();
    if (body.ended()) {
        body_ = piece;  // stays valid: nothing is read after it
        received_ = piece.size();
        whole_body_ = true;
        co_return;
    }
    in_spool_ = true;
    spooled_.reserve(length_.value_or(0));
    pool_batch batch;
    const auto write = [this, &batch] { spooled_.append(batch.bytes()); };
    std::exception_ptr failure;
    try {
        while (!piece.empty()) {
            received_ += piece.size();
            if (batch.empty() && !spooled_.would_block(piece.size())) {
                spooled_.append(piece);
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
    whole_body_ = true;
}

task<void> thread_request::read_for_thread() {
    std::string bytes;
    std::exception_ptr failure;
    from_.body->limit(read_limit_);
    try {
        bytes = co_await from_.body->read();
    } catch (...) {
        failure = std::current_exception();
    }
    std::unique_lock held(mutex_);
    read_ = std::move(bytes);
    read_failure_ = failure;
    rest_ended_ = from_.body->ended();
    tell_thread(held);
}

// ---- the loop's side ----

void thread_request::submit() {
    from_.running_in->token().check();
    hop_.emplace(from_, stats::place::pool_queue);
    holders_.store(2, std::memory_order_relaxed);
    left_thread_.store(false, std::memory_order_relaxed);
    try {
        threads_.pool().submit(*this, from_.running_in->deadline);
    } catch (...) {
        holders_.store(1, std::memory_order_relaxed);
        throw;
    }
    queued_ = true;
    from_.running_in->cancel.add(link_);
}

bool thread_request::news_awaiter::suspend(std::coroutine_handle<> caller, context* in) noexcept {
    thread_request& r = request_;
    r.waiting_.hold(caller, in);
    const std::scoped_lock held(r.mutex_);
    if (r.told_) return false;
    r.loop_waits_ = true;
    return true;
}

void thread_request::news_awaiter::await_resume() const {
    request_.waiting_.release();
    if (request_.withdrawn_ != cancel_reason::none) throw cancelled{request_.withdrawn_};
}

void thread_request::run_on_loop() noexcept {
    if (waiting_.holds()) waiting_.wake();
    let_go();
}

void thread_request::cancel(cancel_reason reason) noexcept {
    if (threads_.pool().withdraw(*this)) {
        withdrawn_ = reason;
        holders_.fetch_sub(1, std::memory_order_relaxed);
        if (waiting_.holds()) waiting_.wake();
        return;
    }
    const std::scoped_lock held(mutex_);
    if (reason_ == cancel_reason::none) reason_ = reason;
    if (!in_) return;
    in_->cancel.announce(reason);  // visible to a view that polls its token without waiting
    thread_->knock();
}

void thread_request::fail(std::exception_ptr why) noexcept {
    if (!failure_) failure_ = std::move(why);
    std::unique_lock held(mutex_);
    client_gone_ = true;
    tell_thread(held);
}

void thread_request::end() noexcept {
    over_ = true;
    link_.unlink();
    if (news_.view != 0) from_.view = news_.view;
    hop_.reset();
}

bool thread_request::deliver_at_once() {
    {
        const std::scoped_lock held(mutex_);
        if (!ended_) return false;
    }
    // The thread no longer accesses the shared state.
    if (news_.head != response_news::state::respond) return false;
    end();
    failure_ = thread_failure_;
    try {
        to_.respond(news_.response_head(), news_.body);
    } catch (...) {
        failure_ = std::current_exception();
    }
    return true;
}

task<void> thread_request::deliver() {
    std::unique_lock held(mutex_);
    const response_news update = std::exchange(news_, {});
    if (update.view != 0) from_.view = update.view;
    const bool ended = ended_;
    const bool read = std::exchange(read_wanted_, false);
    told_ = untold_ = false;
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
    if (update.how == response_news::end::abort) to_.abort_as(update.instead);
    if (read) co_await read_for_thread();
    if (!ended) co_return;
    end();
    if (thread_failure_) failure_ = thread_failure_;
}

void thread_request::deliver_head(const response_news& n) {
    if (n.head == response_news::state::respond) to_.respond(n.response_head(), n.body);
    else if (n.head == response_news::state::begin) to_.begin(n.response_head(), n.length);
}

task<void> thread_request::deliver_pieces(const response_news& n) {
    for (const response_news::piece& p : n.pieces) {
        if (p.file) co_await to_.write_file(p.file.value(), p.offset, p.length);
        else co_await to_.write(p.bytes);
        std::unique_lock held(mutex_);
        unsent_ -= p.cost();
        tell_thread(held);
    }
}

void thread_request::deliver_end(const response_news& n) {
    if (n.how == response_news::end::finish) to_.finish();
}

// ---- the thread's side ----

void thread_request::tell_loop(std::unique_lock<std::mutex>& held) noexcept {
    told_ = true;
    const bool wakes = std::exchange(loop_waits_, false);
    if (wakes) holders_.fetch_add(1, std::memory_order_relaxed);
    held.unlock();
    if (wakes) loop_.post(static_cast<posted&>(*this));
}

void thread_request::tell_thread(std::unique_lock<std::mutex>& held) noexcept {
    if (std::exchange(thread_waits_, false) && thread_) thread_->knock();
    held.unlock();
}

void thread_request::hear() noexcept {
    cancel_reason reason;
    {
        const std::scoped_lock held(mutex_);
        reason = reason_;
    }
    ready_queue::batch batch;
    heard_.set();
    if (reason != cancel_reason::none && in_) in_->cancel.cancel(reason);
}

void thread_request::before_wait() noexcept {
    std::unique_lock held(mutex_);
    if (std::exchange(untold_, false)) tell_loop(held);
}

void thread_request::run_on_thread() noexcept {
    try {
        serve_on(threads_.here());
    } catch (const std::exception& e) {
        thread_failure_ = std::make_exception_ptr(pool_full(
            std::string("cannot create the event loop of a view thread: ") + e.what(), std::chrono::seconds(1)));
    }
    std::unique_lock held(mutex_);
    ended_ = true;
    tell_loop(held);
    left_thread_.store(true);
    left_thread_.notify_all();
    let_go();
}

void thread_request::serve_on(view_thread& here) {
    context in;
    in.deadline = from_.running_in->deadline;
    const handler::thread_hop::stay stay(*hop_, stats::place::pool_thread);
    handler::request request = from_;
    thread_body body(*this);
    thread_responder responder(*this, request);
    request.on_thread = true;
    request.body = &body;
    request.running_in = &in;
    request.draining = from_.draining ? &here.draining() : nullptr;
    {
        const std::scoped_lock held(mutex_);
        thread_ = &here;
        in_ = &in;
        if (reason_ != cancel_reason::none) in.cancel.cancel(reason_);
    }
    here.serving(this);
    reached_application_ = true;
    const works_for whom(&in);
    try {
        here.loop().run_until(app_.serve(request, responder), &in);
    } catch (...) {
        thread_failure_ = std::current_exception();
    }
    here.serving(nullptr);
    const std::scoped_lock held(mutex_);
    news_.view = request.view;
    thread_ = nullptr;
    in_ = nullptr;
}

}  // namespace rondo::server
