// SPDX-License-Identifier: Apache-2.0
#include <rondo/python/task_start.hpp>

#include <rondo/python/runtime.hpp>

namespace rondo::python {

namespace {

// What the constructor of the last Task wanted to be called soon.
struct captured_step {
    object step;
    object context;
};
captured_step captured;

PyObject* capture_call(PyObject*, PyObject* const* arguments, Py_ssize_t count, PyObject* keywords) {
    if (count != 1 || keywords == nullptr || PyTuple_GET_SIZE(keywords) != 1) {
        PyErr_SetString(PyExc_RuntimeError, "asyncio.Task calls call_soon() in an unknown way");
        return nullptr;
    }
    captured = {object::borrow(arguments[0]), object::borrow(arguments[1])};
    Py_RETURN_NONE;
}

PyMethodDef capture_definition = {"call_soon", as_method(capture_call), METH_FASTCALL | METH_KEYWORDS, nullptr};

#if PY_VERSION_HEX < 0x030C0000
object construct_task(PyObject* call, PyObject* loop, PyObject* context) {
    runtime& r = runtime::get();
#if PY_VERSION_HEX >= 0x030B0000
    const object copy = checked(PyContext_Copy(context));
    PyObject* const arguments[] = {call, loop, copy.get()};
    return checked(PyObject_Vectorcall(r.task_type.get(), arguments, 1, r.task_keywords.get()));
#else
    // The constructor copies the current context.
    checked(PyContext_Enter(context));
    PyObject* const arguments[] = {call, loop};
    object task = object::steal(PyObject_Vectorcall(r.task_type.get(), arguments, 1, r.task_keywords.get()));
    checked(PyContext_Exit(context));
    if (!task) throw error_set();
    return task;
#endif
}
#endif

}  // namespace

object make_call_soon_capture() { return checked(PyCFunction_New(&capture_definition, nullptr)); }

#if PY_VERSION_HEX < 0x030C0000
object make_task_eagerly(PyObject* call, PyObject* loop, PyObject* loop_dictionary, PyObject* capture,
                         PyObject* context) {
    const names& n = runtime::get().name;
    checked(PyDict_SetItem(loop_dictionary, n.call_soon.get(), capture));
    object task;
    try {
        task = construct_task(call, loop, context);
    } catch (const error_set&) {
        const object failure = take_exception();
        checked(PyDict_DelItem(loop_dictionary, n.call_soon.get()));
        restore_exception(failure);
        throw;
    }
    checked(PyDict_DelItem(loop_dictionary, n.call_soon.get()));
    const captured_step first = std::move(captured);
    checked(PyContext_Enter(first.context.get()));
    const object result = object::steal(PyObject_CallNoArgs(first.step.get()));
    checked(PyContext_Exit(first.context.get()));
    if (!result) throw error_set();
    return task;
}
#endif

}  // namespace rondo::python
