// SPDX-License-Identifier: Apache-2.0
#include <rondo/python/asgi_application.hpp>

#include <utility>

#include <fmt/format.h>

#include <rondo/base/log.hpp>
#include <rondo/cli/start_failed.hpp>
#include <rondo/python/asgi_exchange.hpp>
#include <rondo/python/completion.hpp>
#include <rondo/python/loop_driver.hpp>
#include <rondo/python/runtime.hpp>
#include <rondo/web/request.hpp>

namespace rondo::python {

using namespace std::chrono_literals;

namespace {

constexpr unsigned max_starts = 64;
constexpr auto max_start_time = 5ms;
constexpr auto min_shutdown_time = 1s;
constexpr std::uint64_t max_joined_body = 64 * 1024;

}  // namespace

bool start_budget::try_start() noexcept {
    if (started_ == 0) {
        first_ = clock::now();
    } else if (started_ >= max_starts || clock::now() - first_ > max_start_time) {
        is_exhausted_ = true;
        return false;
    }
    ++started_;
    return true;
}

asgi_application::asgi_application(asgi_options options, loop_gil& gil, object worker)
    : options_(std::move(options)),
      gil_(gil),
      activity_(ready_queue::current().activity()),
      worker_(std::move(worker)) {}

void asgi_application::on_activity() noexcept {
    if (driver_ != nullptr) driver_->on_activity();
}

void asgi_application::attach_loop(object asyncio_loop, loop_driver& driver) {
    driver_ = &driver;
    asyncio_loop_ = std::move(asyncio_loop);
#if PY_VERSION_HEX < 0x030C0000
    loop_dictionary_ = checked(PyObject_GenericGetDict(asyncio_loop_.get(), nullptr));
    capture_ = make_call_soon_capture();
#endif
}

asgi_application::~asgi_application() {
    gil_.acquire();
    running_calls_.for_each([](call_state& call) {
        call.application = nullptr;
        call.unlink();
    });
}

task<void> asgi_application::startup() {
    gil_.acquire();
    if (driver_ != nullptr) driver_->set_idle();  // an import takes as long as it takes: --boot-timeout
    try {
        const double limit = std::chrono::duration<double>(options_.boot_timeout).count();
        const object arguments_of_load = checked(Py_BuildValue("(sd)", options_.application.c_str(), limit));
        callable_ = call_function(worker_, "load_within", arguments_of_load.get());
        object state = checked(PyDict_New());
        const object arguments =
            checked(Py_BuildValue("(OOs)", callable_.get(), state.get(), options_.lifespan.c_str()));
        lifespan_ = call_function(worker_, "make_lifespan", arguments.get());
        scopes_.emplace(options_.root_path, std::move(state));
    } catch (const error_set&) {
        throw cli::start_failed(start_error_text());
    }
    co_await run_lifespan("startup", 0s);
    gil_.acquire();
    if (!object::steal(PyObject_CallMethod(worker_.get(), "freeze", nullptr)))
        throw cli::start_failed(exception_text());
    base_context_ = object::steal(PyContext_CopyCurrent());
    if (!base_context_) throw cli::start_failed(exception_text());
}

task<void> asgi_application::shutdown() {
    co_await run_lifespan("shutdown", std::max<clock::duration>(min_shutdown_time, end_of_grace_ - clock::now()));
}

// An error message of the application stops the start, and is logged at the end.
task<void> asgi_application::run_lifespan(const char* method, clock::duration limit) {
    gil_.acquire();
    if (!lifespan_ || lifespan_.get() == Py_None) co_return;
    std::string error;
    {
        completion done(*this);
        const double seconds = std::chrono::duration<double>(limit).count();
        const object started =
            object::steal(PyObject_CallMethod(lifespan_.get(), method, "Od", done.callable(), seconds));
        if (!started) throw cli::start_failed(exception_text());
        co_await done.wait();
        gil_.acquire();
        if (done.result().get() != Py_None) {
            const object message = object::steal(PyObject_Str(done.result().get()));
            error = message ? std::string(view_of_text(message.get())) : exception_text();
        }
    }
    if (!error.empty()) throw cli::start_failed(error);
}

task<void> asgi_application::serve(handler::request& from, handler::responder& to) {
    // The parts of a small body that the kernel has delivered with the head become one message.
    const std::optional<std::uint64_t> length = from.body->length();
    if (length && *length <= max_joined_body && from.body->buffered() < *length)
        co_await rondo::event_loop::current().sleep(clock::duration(0));
    while (!budget_.try_start()) co_await asyncio_turn_.wait();
    asgi_exchange x(*this, from, to);
    x.start();
    if (!x.has_ended()) co_await x.end();
    if (access_log_ != nullptr) log_access(from, to, x.is_complete());
    x.check();
}

void asgi_application::on_asyncio_turn() noexcept {
    budget_.renew();
    asyncio_turn_.set();
    asyncio_turn_.reset();
}

void asgi_application::on_refused(handler::request& from, http::status code, std::uint64_t body_bytes) noexcept {
    if (access_log_ == nullptr) return;
    rondo::request req(from);
    access_log_->write({&req, code, body_bytes, clock::duration::zero(), false});
}

void asgi_application::log_access(handler::request& from, const handler::responder& to, bool complete) noexcept {
    rondo::request req(from);
    const http::status code = to.has_started() || complete ? to.code() : http::status{};
    access_log_->write({&req, code, to.body_bytes(), clock::now() - from.arrived, !complete});
}

object asgi_application::make_task(PyObject* call) {
#if PY_VERSION_HEX >= 0x030C0000
    runtime& r = runtime::get();
    const object context = checked(PyContext_Copy(base_context_.get()));
    PyObject* const arguments[] = {call, asyncio_loop_.get(), context.get(), Py_True};
    return checked(PyObject_Vectorcall(r.task_type.get(), arguments, 1, r.task_keywords.get()));
#else
    return make_task_eagerly(call, asyncio_loop_.get(), loop_dictionary_.get(), capture_.get(), base_context_.get());
#endif
}

void asgi_application::start_task(PyObject* call) {
    object task;
    try {
        task = make_task(call);
    } catch (const error_set&) {
        if (state_of(call).coroutine) throw;
        // The application has ended with SystemExit or KeyboardInterrupt, which end the process.
        exit_ = take_exception();
        return;
    }
    call_state& state = state_of(call);
    if (!state.coroutine) return;
    state.task = std::move(task);
    state.is_running = true;
    running_calls_.push_back(state);
    ++running_count_;
    Py_INCREF(call);
}

void asgi_application::on_step_start(const call_state& call) noexcept {
    const task_context* const context = call.exchange == nullptr ? nullptr : &call.exchange->context();
    if (activity_.current_context() != context) activity_.enter(context);
}

bool asgi_application::is_expected(const call_state& call, PyObject* failure) const noexcept {
    if (!call.is_disconnected) return false;
    if (PyErr_GivenExceptionMatches(failure, PyExc_OSError)) return true;
    if (std::string_view(Py_TYPE(failure)->tp_name) == "ClientDisconnect") return true;  // of Starlette
    const object group = object::steal(PyObject_GetAttr(failure, runtime::get().name.exceptions.get()));
    if (!group || !PyTuple_Check(group.get()) || PyTuple_GET_SIZE(group.get()) == 0) {
        PyErr_Clear();
        return false;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(group.get()); ++i)
        if (!is_expected(call, PyTuple_GET_ITEM(group.get(), i))) return false;
    return true;
}

void asgi_application::log_failure(const call_state& call, const object& failure) noexcept {
    try {
        const std::string request =
            call.exchange == nullptr
                ? std::string("a request whose response has ended")
                : fmt::format("{} {}", call.exchange->request().method_text, call.exchange->request().path);
        log::error(fmt::format("{}: exception in the ASGI application\n{}", request, exception_text(failure.get())));
    } catch (...) {
        log::error("exception in the ASGI application");
    }
}

bool asgi_application::on_call_end(PyObject* self, const object& failure) noexcept {
    call_state& call = state_of(self);
    const object keep_alive = object::borrow(self);
    if (std::exchange(call.is_running, false)) {
        call.unlink();
        --running_count_;
        Py_DECREF(self);
    }
    call.task.reset();
    bool is_raised = false;
    if (failure) {
        PyObject* const f = failure.get();
        const bool is_cancelled = PyErr_GivenExceptionMatches(f, runtime::get().cancelled_error.get()) != 0;
        is_raised = is_cancelled || PyErr_GivenExceptionMatches(f, PyExc_SystemExit) != 0 ||
                    PyErr_GivenExceptionMatches(f, PyExc_KeyboardInterrupt) != 0;
        const bool is_silent = is_raised && (!is_cancelled || call.is_cancel_requested || call.is_disconnected);
        if (!is_silent && !is_expected(call, f)) log_failure(call, failure);
    }
    if (call.exchange != nullptr) call.exchange->on_application_end(failure);
    return is_raised;
}

void asgi_application::end_streams() noexcept {
    gil_.acquire();
    running_calls_.for_each([](call_state& call) {
        if (call.exchange != nullptr && call.exchange->has_response_started()) call.exchange->end_stream();
    });
}

task<void> asgi_application::stop_background(instant deadline) {
    rondo::event_loop& loop = rondo::event_loop::current();
    while (running_count_ > 0 && clock::now() < deadline) co_await loop.sleep(10ms);
    if (running_count_ == 0) co_return;
    log::warning(fmt::format("cancelling {} calls of the application that are still running", running_count_));
    cancel_running();
    const instant end = from_now(1s);
    while (running_count_ > 0 && clock::now() < end) co_await loop.sleep(10ms);
}

void asgi_application::cancel_running() noexcept {
    gil_.acquire();
    running_calls_.for_each([](call_state& call) { cancel_call(call.self); });
}

}  // namespace rondo::python
