// SPDX-License-Identifier: Apache-2.0
#include <rondo/python/completion.hpp>

#include <rondo/python/asgi_application.hpp>
#include <rondo/python/runtime.hpp>

namespace rondo::python {

namespace {

struct completion_object {
    PyObject_HEAD completion* owner;  // null when it no longer waits
};

PyObject* completion_call(PyObject* self, PyObject* arguments, PyObject*) {
    PyObject* result = nullptr;
    if (!PyArg_ParseTuple(arguments, "O", &result)) return nullptr;
    if (completion* const owner = reinterpret_cast<completion_object*>(self)->owner) owner->complete(result);
    Py_RETURN_NONE;
}

void completion_destroy(PyObject* self) {
    PyTypeObject* const type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

PyType_Slot completion_slots[] = {
    {Py_tp_dealloc, as_slot(completion_destroy)}, {Py_tp_call, as_slot(completion_call)}, {0, nullptr}};
PyType_Spec completion_spec = {"rondo._rondo.Completion", sizeof(completion_object), 0, Py_TPFLAGS_DEFAULT,
                               completion_slots};

}  // namespace

object make_completion_type() { return checked(PyType_FromSpec(&completion_spec)); }

completion::completion(asgi_application& application) : application_(application) {
    auto* const type = reinterpret_cast<PyTypeObject*>(runtime::get().completion_type.get());
    callable_ = checked(type->tp_alloc(type, 0));
    reinterpret_cast<completion_object*>(callable_.get())->owner = this;
}

completion::~completion() { reinterpret_cast<completion_object*>(callable_.get())->owner = nullptr; }

void completion::complete(PyObject* result) noexcept {
    result_ = object::borrow(result);
    done_.set();
    application_.on_activity();
}

}  // namespace rondo::python
