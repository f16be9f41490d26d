// SPDX-License-Identifier: Apache-2.0
// receive() and send(): callables that return awaitables, which act in their first step and wait only when they must.
#include <cstddef>
#include <new>

#include <rondo/python/asgi_application.hpp>
#include <rondo/python/asgi_call.hpp>
#include <rondo/python/asgi_exchange.hpp>
#include <rondo/python/runtime.hpp>

namespace rondo::python {

namespace {

enum class operation_kind : std::uint8_t { receive, send };

// The argument `receive` or `send` of an application.
struct callable_object {
    PyObject_HEAD vectorcallfunc vectorcall;
    PyObject* call;
    operation_kind kind;
};

// One receive() or send(message).
struct operation_object {
    PyObject_HEAD PyObject* call;
    PyObject* message;  // of send(); null when it was sent
    PyObject* future;   // that it waits for; null: it does not wait
    PyObject* future_iterator;
    operation_kind kind;
    bool has_started_write;
    bool is_done;
};

operation_object* as_operation(PyObject* self) noexcept { return reinterpret_cast<operation_object*>(self); }
callable_object* as_callable(PyObject* self) noexcept { return reinterpret_cast<callable_object*>(self); }

PyObject* make_operation(callable_object* from, PyObject* message) noexcept {
    auto* const type = reinterpret_cast<PyTypeObject*>(runtime::get().operation_type.get());
    PyObject* const made = type->tp_alloc(type, 0);
    if (made == nullptr) return nullptr;
    as_operation(made)->call = Py_NewRef(from->call);
    as_operation(made)->message = Py_XNewRef(message);
    as_operation(made)->kind = from->kind;
    return made;
}

PyObject* call_receive(PyObject* self, PyObject* const*, std::size_t count, PyObject* keywords) {
    if (PyVectorcall_NARGS(count) != 0 || (keywords != nullptr && PyTuple_GET_SIZE(keywords) != 0)) {
        PyErr_SetString(PyExc_TypeError, "receive() takes no arguments");
        return nullptr;
    }
    return make_operation(as_callable(self), nullptr);
}

PyObject* call_send(PyObject* self, PyObject* const* arguments, std::size_t count, PyObject* keywords) {
    const Py_ssize_t positional = PyVectorcall_NARGS(count);
    const Py_ssize_t named = keywords == nullptr ? 0 : PyTuple_GET_SIZE(keywords);
    const bool is_valid = (positional == 1 && named == 0) ||
                          (positional == 0 && named == 1 &&
                           PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(keywords, 0), "message") == 0);
    if (!is_valid) {
        PyErr_SetString(PyExc_TypeError, "send() takes one argument: message");
        return nullptr;
    }
    return make_operation(as_callable(self), arguments[0]);
}

void callable_destroy(PyObject* self) {
    PyTypeObject* const type = Py_TYPE(self);
    Py_XDECREF(as_callable(self)->call);
    type->tp_free(self);
    Py_DECREF(type);
}

// Waits with a future for what the exchange does next. The operation tries again when it is completed.
PySendResult wait(operation_object* op, PyObject** result) noexcept {
    call_state& state = state_of(op->call);
    waiting_futures& waiting = op->kind == operation_kind::receive ? state.receivers : state.senders;
    runtime& r = runtime::get();
    PyObject* const arguments[] = {state.application->event_loop()};
    op->future = PyObject_Vectorcall(r.future_type.get(), arguments, 0, r.future_keywords.get());
    if (op->future == nullptr) return PYGEN_ERROR;
    op->future_iterator = PyObject_CallMethod(op->future, "__await__", nullptr);
    if (op->future_iterator == nullptr) return PYGEN_ERROR;
    waiting.add(object::borrow(op->future));
    return PyIter_Send(op->future_iterator, Py_None, result);
}

void stop_waiting(operation_object* op) noexcept {
    if (op->future == nullptr) return;
    call_state& state = state_of(op->call);
    (op->kind == operation_kind::receive ? state.receivers : state.senders).remove(op->future);
    Py_CLEAR(op->future_iterator);
    Py_CLEAR(op->future);
}

PySendResult fail(operation_object* op) noexcept {
    op->is_done = true;
    Py_CLEAR(op->message);
    set_exception_from_current();
    return PYGEN_ERROR;
}

PySendResult try_receive(operation_object* op, PyObject** result) noexcept {
    try {
        object message = asgi_exchange::receive(state_of(op->call));
        if (!message) return wait(op, result);
        op->is_done = true;
        *result = message.release();
        return PYGEN_RETURN;
    } catch (...) {
        return fail(op);
    }
}

PySendResult try_send(operation_object* op, PyObject** result) noexcept {
    try {
        if (!asgi_exchange::send(state_of(op->call), op->message, op->has_started_write)) return wait(op, result);
        op->is_done = true;
        Py_CLEAR(op->message);
        *result = Py_NewRef(Py_None);
        return PYGEN_RETURN;
    } catch (...) {
        return fail(op);
    }
}

PySendResult operation_send_slot(PyObject* self, PyObject* value, PyObject** result) noexcept {
    operation_object* const op = as_operation(self);
    *result = nullptr;
    if (op->is_done) {
        PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited receive() or send()");
        return PYGEN_ERROR;
    }
    if (op->future_iterator != nullptr) {
        const PySendResult step = PyIter_Send(op->future_iterator, value, result);
        if (step == PYGEN_NEXT) return step;
        stop_waiting(op);
        if (step == PYGEN_ERROR) {
            op->is_done = true;
            return step;
        }
        Py_CLEAR(*result);
    }
    return op->kind == operation_kind::receive ? try_receive(op, result) : try_send(op, result);
}

// From Python 3.12 on, `await` calls this; a null result without an exception is the value None.
PyObject* operation_next(PyObject* self) {
    PyObject* result = nullptr;
    const PySendResult step = operation_send_slot(self, Py_None, &result);
    if (step != PYGEN_RETURN) return step == PYGEN_NEXT ? result : nullptr;
    const object value = object::steal(result);
    if (value.get() != Py_None) PyErr_SetObject(PyExc_StopIteration, value.get());
    return nullptr;
}

PyObject* operation_send(PyObject* self, PyObject* value) {
    PyObject* result = nullptr;
    const PySendResult step = operation_send_slot(self, value, &result);
    if (step != PYGEN_RETURN) return step == PYGEN_NEXT ? result : nullptr;
    const object returned = object::steal(result);
    PyErr_SetObject(PyExc_StopIteration, returned.get());
    return nullptr;
}

// A cancelled receive() has taken nothing, and what a cancelled send() has started goes on.
PyObject* operation_throw(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
    operation_object* const op = as_operation(self);
    stop_waiting(op);
    op->is_done = true;
    Py_CLEAR(op->message);
    if (count < 1 || count > 3) {
        PyErr_SetString(PyExc_TypeError, "throw() takes from 1 to 3 arguments");
        return nullptr;
    }
    PyObject* const type = arguments[0];
    PyObject* const value = count > 1 && arguments[1] != Py_None ? arguments[1] : nullptr;
    if (PyExceptionInstance_Check(type)) {
        PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(type)), type);
    } else if (PyExceptionClass_Check(type)) {
        if (value != nullptr) PyErr_SetObject(type, value);
        else PyErr_SetNone(type);
    } else {
        PyErr_SetString(PyExc_TypeError, "throw() takes an exception");
    }
    return nullptr;
}

PyObject* operation_close(PyObject* self, PyObject*) {
    stop_waiting(as_operation(self));
    as_operation(self)->is_done = true;
    Py_CLEAR(as_operation(self)->message);
    Py_RETURN_NONE;
}

PyObject* operation_await(PyObject* self) { return Py_NewRef(self); }
PyObject* operation_await_method(PyObject* self, PyObject*) { return Py_NewRef(self); }

void operation_destroy(PyObject* self) {
    operation_object* const op = as_operation(self);
    PyTypeObject* const type = Py_TYPE(self);
    stop_waiting(op);
    Py_XDECREF(op->message);
    Py_XDECREF(op->call);
    type->tp_free(self);
    Py_DECREF(type);
}

PyMemberDef callable_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(callable_object, vectorcall), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};
PyType_Slot callable_slots[] = {{Py_tp_dealloc, as_slot(callable_destroy)},
                                {Py_tp_call, as_slot(PyVectorcall_Call)},
                                {Py_tp_members, callable_members},
                                {0, nullptr}};
PyType_Spec callable_spec = {"rondo._rondo.Callable", sizeof(callable_object), 0,
                             Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL, callable_slots};

PyMethodDef operation_methods[] = {{"send", operation_send, METH_O, nullptr},
                                   {"throw", as_method(operation_throw), METH_FASTCALL, nullptr},
                                   {"close", operation_close, METH_NOARGS, nullptr},
                                   {"__await__", operation_await_method, METH_NOARGS, nullptr},
                                   {nullptr, nullptr, 0, nullptr}};
PyType_Slot operation_slots[] = {{Py_tp_dealloc, as_slot(operation_destroy)},
                                 {Py_tp_iter, as_slot(PyObject_SelfIter)},
                                 {Py_tp_iternext, as_slot(operation_next)},
                                 {Py_am_await, as_slot(operation_await)},
                                 {Py_am_send, as_slot(operation_send_slot)},
                                 {Py_tp_methods, operation_methods},
                                 {0, nullptr}};
PyType_Spec operation_spec = {"rondo._rondo.Operation", sizeof(operation_object), 0, Py_TPFLAGS_DEFAULT,
                              operation_slots};

object make_callable(PyObject* call, operation_kind kind, vectorcallfunc function) {
    auto* const type = reinterpret_cast<PyTypeObject*>(runtime::get().callable_type.get());
    object made = checked(type->tp_alloc(type, 0));
    callable_object* const callable = as_callable(made.get());
    callable->vectorcall = function;
    callable->call = Py_NewRef(call);
    callable->kind = kind;
    return made;
}

}  // namespace

object make_callable_type() { return checked(PyType_FromSpec(&callable_spec)); }
object make_operation_type() { return checked(PyType_FromSpec(&operation_spec)); }

object make_receive(PyObject* call) { return make_callable(call, operation_kind::receive, call_receive); }
object make_send(PyObject* call) { return make_callable(call, operation_kind::send, call_send); }

}  // namespace rondo::python
