// SPDX-License-Identifier: Apache-2.0
// The call of an ASGI application as Python sees it: the coroutine of its task, and the objects `receive` and `send`.
// Implemented in asgi_call.cpp and asgi_operation.cpp.
#pragma once

#include <vector>

#include <rondo/base/intrusive_list.hpp>
#include <rondo/python/python_api.hpp>

namespace rondo::python {

class asgi_application;
class asgi_exchange;

/// Futures that receive() or send() wait for. They wake the operation, which then tries again.
class waiting_futures {
public:
    void add(object future) { futures_.push_back(std::move(future)); }
    void remove(PyObject* future) noexcept;
    /// Completes all of them. With the GIL; never throws.
    void wake() noexcept;

private:
    std::vector<object> futures_;
};

/// What a call of the application keeps. Used with the GIL on the loop thread.
struct call_state : list_node {
    PyObject* self = nullptr;
    object coroutine;  ///< of the application; empty when it has ended
    object task;       ///< empty during the first step and when the application has ended
    asgi_application* application = nullptr;
    asgi_exchange* exchange = nullptr;  ///< null when the response is complete or was aborted
    waiting_futures receivers;
    waiting_futures senders;
    bool is_running = false;           ///< in the list of running calls, which owns a reference
    bool is_disconnected = false;      ///< the client has closed the connection
    bool is_complete = false;          ///< the response was sent
    bool is_aborted = false;           ///< the response was aborted by the server
    bool is_cancel_requested = false;  ///< its task was cancelled by the server
    bool is_ending_stream = false;     ///< receive() returns http.disconnect although send() works
};

/// The object that a Task drives: forwards to the coroutine of the application and sees its end.
struct call_object {
    PyObject_HEAD call_state state;

    [[nodiscard]] PyObject* as_object() noexcept { return reinterpret_cast<PyObject*>(this); }
};

/// A call without coroutine. Throws error_set.
[[nodiscard]] object make_call(asgi_application& application, asgi_exchange& exchange);
[[nodiscard]] inline call_state& state_of(PyObject* call) noexcept {
    return reinterpret_cast<call_object*>(call)->state;
}

/// The arguments `receive` and `send` of a call. Throws error_set.
[[nodiscard]] object make_receive(PyObject* call);
[[nodiscard]] object make_send(PyObject* call);

/// Cancels the task of a running call, without waiting for it.
void cancel_call(PyObject* call) noexcept;

}  // namespace rondo::python
