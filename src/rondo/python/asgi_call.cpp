// SPDX-License-Identifier: Apache-2.0
#include <rondo/python/asgi_call.hpp>

#include <algorithm>
#include <new>

#include <rondo/python/asgi_application.hpp>
#include <rondo/python/runtime.hpp>

namespace rondo::python {

void waiting_futures::remove(PyObject* future) noexcept {
    const auto found = std::ranges::find(futures_, future, [](const object& o) { return o.get(); });
    if (found != futures_.end()) futures_.erase(found);
}

void waiting_futures::wake() noexcept {
    if (futures_.empty()) return;
    const names& n = runtime::get().name;
    const std::vector<object> woken = std::move(futures_);
    futures_.clear();
    for (const object& future : woken) {
        const object done = object::steal(PyObject_CallMethodNoArgs(future.get(), n.done.get()));
        object result;
        if (done.get() == Py_False)
            result = object::steal(PyObject_CallMethodOneArg(future.get(), n.set_result.get(), Py_None));
        if (PyErr_Occurred()) PyErr_WriteUnraisable(future.get());
    }
}

namespace {

call_object* as_call(PyObject* self) noexcept { return reinterpret_cast<call_object*>(self); }

// What the coroutine did in a step: yielded, returned, or raised an exception.
PySendResult on_step(PyObject* self, PySendResult step, PyObject** result) noexcept {
    if (step == PYGEN_NEXT) return step;
    call_state& state = state_of(self);
    if (state.application == nullptr || !state.coroutine) return step;
    const object ended = std::move(state.coroutine);
    object failure;
    if (step == PYGEN_ERROR) failure = take_exception();
    else Py_CLEAR(*result);
    const bool is_raised = state.application->on_call_end(self, failure);
    if (is_raised) {
        restore_exception(std::move(failure));
        return PYGEN_ERROR;
    }
    *result = Py_NewRef(Py_None);
    return PYGEN_RETURN;
}

PySendResult call_send_slot(PyObject* self, PyObject* value, PyObject** result) noexcept {
    call_state& state = state_of(self);
    if (!state.coroutine) {
        PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited coroutine");
        return PYGEN_ERROR;
    }
    const object coroutine = state.coroutine;
    if (state.application != nullptr) state.application->on_step_start(state);
    const PySendResult step = PyIter_Send(coroutine.get(), value, result);
    return on_step(self, step, result);
}

// The result of a step in the form of the methods send() and throw().
PyObject* method_result(PySendResult step, PyObject* result) noexcept {
    if (step == PYGEN_NEXT) return result;
    if (step == PYGEN_RETURN) {
        Py_XDECREF(result);
        PyErr_SetNone(PyExc_StopIteration);
    }
    return nullptr;
}

PyObject* call_send(PyObject* self, PyObject* value) {
    PyObject* result = nullptr;
    const PySendResult step = call_send_slot(self, value, &result);
    return method_result(step, result);
}

PyObject* call_next(PyObject* self) { return call_send(self, Py_None); }

PyObject* call_throw(PyObject* self, PyObject* arguments) {
    call_state& state = state_of(self);
    if (!state.coroutine) {
        PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited coroutine");
        return nullptr;
    }
    const object coroutine = state.coroutine;
    if (state.application != nullptr) state.application->on_step_start(state);
    const object method = object::steal(PyObject_GetAttr(coroutine.get(), runtime::get().name.throw_.get()));
    PyObject* result = method ? PyObject_CallObject(method.get(), arguments) : nullptr;
    PySendResult step = PYGEN_NEXT;
    if (result == nullptr) {
        step = PYGEN_ERROR;
        if (PyErr_ExceptionMatches(PyExc_StopIteration)) {
            PyErr_Clear();
            step = PYGEN_RETURN;
        }
    }
    return method_result(on_step(self, step, &result), result);
}

PyObject* call_close(PyObject* self, PyObject*) {
    call_state& state = state_of(self);
    if (!state.coroutine) Py_RETURN_NONE;
    const object coroutine = std::move(state.coroutine);
    if (state.application != nullptr) (void)state.application->on_call_end(self, object());
    return PyObject_CallMethodNoArgs(coroutine.get(), runtime::get().name.close.get());
}

PyObject* call_await(PyObject* self) { return Py_NewRef(self); }
PyObject* call_await_method(PyObject* self, PyObject*) { return Py_NewRef(self); }

// cr_frame, cr_code, __qualname__ and the like are those of the coroutine, for debuggers and Task.get_stack().
PyObject* call_attribute(PyObject* self, PyObject* name) {
    PyObject* const own = PyObject_GenericGetAttr(self, name);
    if (own != nullptr || !state_of(self).coroutine || !PyErr_ExceptionMatches(PyExc_AttributeError)) return own;
    PyErr_Clear();
    return PyObject_GetAttr(state_of(self).coroutine.get(), name);
}

void call_destroy(PyObject* self) {
    PyTypeObject* const type = Py_TYPE(self);
    as_call(self)->state.~call_state();
    type->tp_free(self);
    Py_DECREF(type);
}

PyMethodDef call_methods[] = {{"send", call_send, METH_O, nullptr},
                              {"throw", call_throw, METH_VARARGS, nullptr},
                              {"close", call_close, METH_NOARGS, nullptr},
                              {"__await__", call_await_method, METH_NOARGS, nullptr},
                              {nullptr, nullptr, 0, nullptr}};

PyType_Slot call_slots[] = {{Py_tp_dealloc, as_slot(call_destroy)},
                            {Py_tp_getattro, as_slot(call_attribute)},
                            {Py_tp_iter, as_slot(PyObject_SelfIter)},
                            {Py_tp_iternext, as_slot(call_next)},
                            {Py_am_await, as_slot(call_await)},
                            {Py_am_send, as_slot(call_send_slot)},
                            {Py_tp_methods, call_methods},
                            {0, nullptr}};

PyType_Spec call_spec = {"rondo._rondo.Call", sizeof(call_object), 0, Py_TPFLAGS_DEFAULT, call_slots};

}  // namespace

object make_call_type() { return checked(PyType_FromSpec(&call_spec)); }

object make_call(asgi_application& application, asgi_exchange& exchange) {
    auto* const type = reinterpret_cast<PyTypeObject*>(runtime::get().call_type.get());
    object made = checked(type->tp_alloc(type, 0));
    auto* const state = new (&as_call(made.get())->state) call_state;
    state->self = made.get();
    state->application = &application;
    state->exchange = &exchange;
    return made;
}

void cancel_call(PyObject* call) noexcept {
    call_state& state = state_of(call);
    if (!state.task) return;
    state.is_cancel_requested = true;
    const object task = state.task;
    const object result = object::steal(PyObject_CallMethodNoArgs(task.get(), runtime::get().name.cancel.get()));
    if (!result) PyErr_WriteUnraisable(task.get());
}

}  // namespace rondo::python
