// SPDX-License-Identifier: Apache-2.0
// Python's C API with owned references.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#include <string>
#include <string_view>
#include <utility>

/// An extension module: ASGI applications as handlers, Rondo's loop as the selector of asyncio.
namespace rondo::python {

/// An owned reference to a Python object, or none. Unless it is empty, the GIL must be held for every function.
class object {
public:
    object() noexcept = default;
    object(const object& other) noexcept : pointer_(Py_XNewRef(other.pointer_)) {}
    object(object&& other) noexcept : pointer_(std::exchange(other.pointer_, nullptr)) {}
    object& operator=(object other) noexcept {
        std::swap(pointer_, other.pointer_);
        return *this;
    }
    ~object() { Py_XDECREF(pointer_); }

    /// Takes over a new reference, which may be null.
    [[nodiscard]] static object steal(PyObject* p) noexcept { return object(p); }
    /// Adds a reference to a borrowed object, which may be null.
    [[nodiscard]] static object borrow(PyObject* p) noexcept { return object(Py_XNewRef(p)); }

    [[nodiscard]] PyObject* get() const noexcept { return pointer_; }
    [[nodiscard]] PyObject* release() noexcept { return std::exchange(pointer_, nullptr); }
    [[nodiscard]] explicit operator bool() const noexcept { return pointer_ != nullptr; }
    /// Drops the reference; the object may run code when it is destroyed.
    void reset() noexcept { Py_CLEAR(pointer_); }

private:
    explicit object(PyObject* p) noexcept : pointer_(p) {}

    PyObject* pointer_ = nullptr;
};

/// A Python exception is set in the thread state.
struct error_set {};

/// Takes over a new reference; throws error_set when it is null.
[[nodiscard]] inline object checked(PyObject* p) {
    if (p == nullptr) throw error_set();
    return object::steal(p);
}
inline void checked(int result) {
    if (result < 0) throw error_set();
}

[[nodiscard]] inline object text(std::string_view t) {
    return checked(PyUnicode_DecodeUTF8(t.data(), static_cast<Py_ssize_t>(t.size()), "replace"));
}
[[nodiscard]] inline object bytes(std::string_view b) {
    return checked(PyBytes_FromStringAndSize(b.data(), static_cast<Py_ssize_t>(b.size())));
}
[[nodiscard]] inline std::string_view view_of_bytes(PyObject* b) noexcept {
    return {PyBytes_AS_STRING(b), static_cast<std::size_t>(PyBytes_GET_SIZE(b))};
}
/// The UTF-8 form of a str; valid as long as the object. Throws error_set.
[[nodiscard]] inline std::string_view view_of_text(PyObject* t) {
    Py_ssize_t size = 0;
    const char* data = PyUnicode_AsUTF8AndSize(t, &size);
    if (data == nullptr) throw error_set();
    return {data, static_cast<std::size_t>(size)};
}

/// Calls a function of a module with one argument. Throws error_set.
[[nodiscard]] inline object call_function(const object& module, const char* name, PyObject* argument) {
    const object function = checked(PyObject_GetAttrString(module.get(), name));
    return checked(PyObject_CallOneArg(function.get(), argument));
}

/// The function of a method with another signature than PyCFunction.
template <class Function>
[[nodiscard]] PyCFunction as_method(Function* f) noexcept {
    return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(f));
}
template <class Function>
[[nodiscard]] void* as_slot(Function* f) noexcept {
    return reinterpret_cast<void*>(f);
}

/// The exception that is set, which it clears; with its traceback.
[[nodiscard]] inline object take_exception() noexcept {
#if PY_VERSION_HEX >= 0x030C0000
    return object::steal(PyErr_GetRaisedException());
#else
    PyObject* type = nullptr;
    PyObject* value = nullptr;
    PyObject* traceback = nullptr;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (value != nullptr && traceback != nullptr) PyException_SetTraceback(value, traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return object::steal(value);
#endif
}
/// Sets the exception again.
inline void restore_exception(object exception) noexcept {
#if PY_VERSION_HEX >= 0x030C0000
    PyErr_SetRaisedException(exception.release());
#else
    PyObject* const value = exception.release();
    PyObject* const type = Py_NewRef(reinterpret_cast<PyObject*>(Py_TYPE(value)));
    PyErr_Restore(type, value, PyException_GetTraceback(value));
#endif
}

/// The exception as Python prints it, with its traceback. Clears the exception that is set.
[[nodiscard]] std::string exception_text();
/// The same for an exception that is not set.
[[nodiscard]] std::string exception_text(PyObject* exception);
/// The exception that is set as a reason why the application cannot start: without traceback when it is a mistake of
/// the user, such as an unknown module. Clears it.
[[nodiscard]] std::string start_error_text();
/// Sets the Python exception that matches the C++ exception which is being handled. To be called in a catch block.
void set_exception_from_current() noexcept;

}  // namespace rondo::python
