// SPDX-License-Identifier: Apache-2.0
#include <rondo/python/asgi_exchange.hpp>

#include <utility>

#include <fmt/format.h>

#include <rondo/base/log.hpp>
#include <rondo/python/asgi_application.hpp>
#include <rondo/python/runtime.hpp>

namespace rondo::python {

asgi_exchange::asgi_exchange(asgi_application& application, handler::request& request,
                             handler::responder& responder) noexcept
    : cancel_callback([](cancel_callback& self, cancel_reason reason) noexcept {
          static_cast<asgi_exchange&>(self).on_cancel(reason);
      }),
      application_(application),
      request_(request),
      responder_(responder) {}

asgi_exchange::~asgi_exchange() {
    reader_ = {};
    // Also when the server is destroyed while the application still runs.
    application_.gil().acquire();
    if (call_) {
        call_state& call = state_of(call_.get());
        if (call.exchange == this) {
            call.exchange = nullptr;
            call.is_aborted = true;
        }
    }
    call_.reset();
    scope_.reset();
    headers_.reset();
    trailers_.reset();
}

void asgi_exchange::start() noexcept {
    application_.gil().acquire();
    try {
        call_ = make_call(application_, *this);
        application_.views().identify(nullptr, request_);
        scope_ = application_.scopes().make(request_);
        state_of(call_.get()).coroutine = start_call();
        application_.start_task(call_.get());
    } catch (const error_set&) {
        const object failure = take_exception();
        if (call_) {
            state_of(call_.get()).coroutine.reset();
            (void)application_.on_call_end(call_.get(), failure);
        } else {
            fail(http::status::internal_server_error);  // out of memory
        }
    } catch (const std::exception& e) {
        log::error(e.what());
        fail(http::status::internal_server_error);
    }
    identify_view();
    if (ended_) return;
    request_.listener = this;
    if (context().cancel.is_cancelled()) on_cancel(context().cancel.reason());
    else context().cancel.add(*this);
}

// The coroutine, or the iterator of another awaitable, that the application returned.
object asgi_exchange::start_call() {
    const object receive = make_receive(call_.get());
    const object send = make_send(call_.get());
    PyObject* const arguments[] = {scope_.get(), receive.get(), send.get()};
    object result = checked(PyObject_Vectorcall(application_.callable(), arguments, 3, nullptr));
    if (PyCoro_CheckExact(result.get())) return result;
    const PyAsyncMethods* const async = Py_TYPE(result.get())->tp_as_async;
    if (async == nullptr || async->am_await == nullptr) {
        PyErr_Format(PyExc_TypeError, "the ASGI application returned %.80s instead of an awaitable",
                     Py_TYPE(result.get())->tp_name);
        throw error_set();
    }
    return checked(async->am_await(result.get()));
}

// The framework has put its route into the scope, if it does that.
void asgi_exchange::identify_view() noexcept {
    if (scope_) application_.views().identify(scope_.get(), request_);
    scope_.reset();
}

void asgi_exchange::check() const {
    if (cancelled_ != cancel_reason::none && response_ != response_state::complete) throw cancelled{cancelled_};
}

void asgi_exchange::on_cancel(cancel_reason reason) noexcept {
    application_.gil().acquire();
    cancelled_ = reason;
    call_state& call = state_of(call_.get());
    if (reason == cancel_reason::disconnected) {
        call.is_disconnected = true;
        call.receivers.wake();
        call.senders.wake();
    } else {
        cancel_call(call_.get());
    }
}

// As other servers do: receive() returns http.disconnect, although the client might still read.
void asgi_exchange::on_half_closed() noexcept {
    application_.gil().acquire();
    end_stream();
}

void asgi_exchange::end_stream() noexcept {
    call_state& call = state_of(call_.get());
    call.is_ending_stream = true;
    call.receivers.wake();
}

void asgi_exchange::on_application_end(const object& failure) noexcept {
    if (response_ == response_state::complete || response_ == response_state::failed) return;
    call_state& call = state_of(call_.get());
    // The application ended beside a send() that it gave to another task: the response ends with that.
    if (is_writing_ && !failure) return;
    const bool is_silent = failure || call.is_disconnected || call.is_cancel_requested;
    if (!is_silent)
        log::error(fmt::format("{} {}: the ASGI application returned without {}", request_.method_text, request_.path,
                               response_ == response_state::none ? "sending a response" : "completing its response"));
    if (cancelled_ != cancel_reason::none && !responder_.has_started()) {
        response_ = response_state::failed;
        return end_exchange();
    }
    fail(http::status::internal_server_error);
}

void asgi_exchange::fail(http::status instead) noexcept {
    response_ = response_state::failed;
    responder_.abort_with(instead);
    if (call_) state_of(call_.get()).is_aborted = true;
    end_exchange();
}

// The call goes on without the exchange, and what waits in it is woken.
void asgi_exchange::end_exchange() noexcept {
    if (std::exchange(ended_, true)) return;
    cancel_callback::unlink();
    request_.listener = nullptr;
    if (call_) {
        call_state& call = state_of(call_.get());
        call.exchange = nullptr;
        call.receivers.wake();
        call.senders.wake();
    }
    if (has_ended() && waiting_.has_coroutine()) waiting_.wake();
    application_.on_activity();
}

void asgi_exchange::start_task(task<void>& slot, task<void> t, std::size_t which) noexcept {
    slot = std::move(t);
    const auto coroutine = slot.coroutine();
    coroutine.promise().set_context(request_.context);
    coroutine.promise().set_completion_handler(this, which);
    detail::start_task(coroutine);
}

std::coroutine_handle<> asgi_exchange::on_completion(std::coroutine_handle<>, std::size_t which,
                                                     std::exception_ptr) noexcept {
    application_.gil().acquire();
    call_state& call = state_of(call_.get());
    if (which == reader_task) {
        call.receivers.wake();
    } else {
        is_writing_ = false;
        call.senders.wake();
        if (!ended_ && !call.coroutine) fail(http::status::internal_server_error);
        if (has_ended() && waiting_.has_coroutine()) waiting_.wake();
    }
    return std::noop_coroutine();
}

}  // namespace rondo::python
