// SPDX-License-Identifier: Apache-2.0
#include <rondo/python/python_api.hpp>

#include <new>
#include <stdexcept>
#include <system_error>

#include <rondo/coro/cancel.hpp>
#include <rondo/handler/error.hpp>
#include <rondo/python/runtime.hpp>

namespace rondo::python {

std::string exception_text(PyObject* exception) {
    const object module = object::steal(PyImport_ImportModule("traceback"));
    const object traceback = object::steal(PyException_GetTraceback(exception));
    PyObject* const type = reinterpret_cast<PyObject*>(Py_TYPE(exception));
    const object lines = module ? object::steal(PyObject_CallMethod(module.get(), "format_exception", "OOO", type,
                                                                    exception, traceback ? traceback.get() : Py_None))
                                : object();
    const object empty = lines ? object::steal(PyUnicode_FromString("")) : object();
    const object joined = empty ? object::steal(PyUnicode_Join(empty.get(), lines.get())) : object();
    Py_ssize_t size = 0;
    const object encoded =
        joined ? object::steal(PyUnicode_AsEncodedString(joined.get(), "utf-8", "backslashreplace")) : object();
    char* data = nullptr;
    if (!encoded || PyBytes_AsStringAndSize(encoded.get(), &data, &size) < 0) {
        PyErr_Clear();
        return Py_TYPE(exception)->tp_name;
    }
    std::string result(data, static_cast<std::size_t>(size));
    while (result.ends_with('\n')) result.pop_back();
    return result;
}

std::string exception_text() {
    const object exception = take_exception();
    return exception ? exception_text(exception.get()) : std::string("unknown error");
}

std::string start_error_text() {
    const object failure = take_exception();
    const object is_message = object::steal(PyObject_GetAttrString(failure.get(), "is_start_error"));
    PyErr_Clear();
    const object message = is_message ? object::steal(PyObject_Str(failure.get())) : object();
    return message ? std::string(view_of_text(message.get())) : exception_text(failure.get());
}

void set_exception_from_current() noexcept {
    try {
        throw;
    } catch (const error_set&) {
        if (!PyErr_Occurred()) PyErr_SetString(PyExc_SystemError, "unknown error");
    } catch (const response_error& e) {
        PyErr_SetString(PyExc_RuntimeError, e.what());
    } catch (const std::invalid_argument& e) {
        PyErr_SetString(PyExc_ValueError, e.what());
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
    } catch (const std::system_error& e) {
        PyErr_SetString(runtime::get().client_disconnected.get(), e.what());
    } catch (const cancelled&) {
        PyErr_SetString(runtime::get().client_disconnected.get(), "client disconnected");
    } catch (const std::exception& e) {
        PyErr_SetString(PyExc_RuntimeError, e.what());
    } catch (...) {
        PyErr_SetString(PyExc_RuntimeError, "unknown error");
    }
}

}  // namespace rondo::python
