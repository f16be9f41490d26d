// SPDX-License-Identifier: Apache-2.0
#include <rondo/python/runtime.hpp>

namespace rondo::python {

runtime* runtime::instance = nullptr;

object intern(const char* text) { return checked(PyUnicode_InternFromString(text)); }

runtime::runtime(PyObject* module)
    : empty_bytes(bytes({})),
      client_disconnected(checked(PyErr_NewExceptionWithDoc(
          "rondo.ClientDisconnected", "Raised by send() when the client has closed the connection.",
          PyExc_ConnectionError, nullptr))),
      call_type(make_call_type()),
      callable_type(make_callable_type()),
      operation_type(make_operation_type()),
      driver_type(make_driver_type()),
      completion_type(make_completion_type()) {
    checked(PyModule_AddObjectRef(module, "ClientDisconnected", client_disconnected.get()));
    instance = this;
}

runtime::~runtime() { instance = nullptr; }

void runtime::load_asyncio() {
    const object asyncio = checked(PyImport_ImportModule("asyncio"));
    task_type = checked(PyObject_GetAttrString(asyncio.get(), "Task"));
    future_type = checked(PyObject_GetAttrString(asyncio.get(), "Future"));
    cancelled_error = checked(PyObject_GetAttrString(asyncio.get(), "CancelledError"));
#if PY_VERSION_HEX >= 0x030C0000
    task_keywords = checked(Py_BuildValue("(sss)", "loop", "context", "eager_start"));
#elif PY_VERSION_HEX >= 0x030B0000
    task_keywords = checked(Py_BuildValue("(ss)", "loop", "context"));
#else
    task_keywords = checked(Py_BuildValue("(s)", "loop"));
#endif
    future_keywords = checked(Py_BuildValue("(s)", "loop"));
}

}  // namespace rondo::python
