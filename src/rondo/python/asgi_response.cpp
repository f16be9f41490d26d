// SPDX-License-Identifier: Apache-2.0
#include <rondo/python/asgi_response.hpp>

#include <stdexcept>

#include <rondo/base/parse_number.hpp>
#include <rondo/handler/error.hpp>
#include <rondo/python/runtime.hpp>

namespace rondo::python {

namespace {

std::string_view bytes_of(PyObject* value) {
    if (PyBytes_Check(value)) return view_of_bytes(value);
    if (PyByteArray_Check(value))
        return {PyByteArray_AS_STRING(value), static_cast<std::size_t>(PyByteArray_GET_SIZE(value))};
    PyErr_Format(PyExc_TypeError, "names and values of header fields must be bytes, not %.80s",
                 Py_TYPE(value)->tp_name);
    throw error_set();
}

void read_length(std::string_view value, response_fields& to) {
    const std::optional<std::uint64_t> length = parse_number<std::uint64_t>(http::trimmed(value));
    if (!length || (to.length && *to.length != *length)) {
        const object shown = bytes(value);
        PyErr_Format(PyExc_RuntimeError, "invalid Content-Length of the response: %R", shown.get());
        throw error_set();
    }
    to.length = length;
}

void read_field(std::string_view name, std::string_view value, response_fields& to) {
    switch (name.size()) {
        case 4:
            if (http::equals_ignore_case(name, "date")) to.has_date = true;
            break;
        case 10:
            if (http::equals_ignore_case(name, "connection") && http::list_contains(value, "close")) to.close = true;
            break;
        case 14:
            if (http::equals_ignore_case(name, "content-length")) return read_length(value, to);
            break;
        case 17:
            if (http::equals_ignore_case(name, "transfer-encoding")) to.is_chunked = true;
            break;
        default: break;
    }
    // Trailer announces fields and frames nothing.
    if (http::is_connection_field(name) && !http::equals_ignore_case(name, "trailer")) return;
    to.fields.add(name, value);
}

}  // namespace

void response_fields::clear() noexcept {
    fields.clear();
    length.reset();
    is_chunked = false;
    close = false;
    has_date = false;
}

object to_list(PyObject* headers) {
    return checked(PySequence_Fast(headers, "the headers of a response must be an iterable of pairs of bytes"));
}

void read_fields(PyObject* headers, response_fields& to) {
    to.clear();
    const object lines = to_list(headers);
    const Py_ssize_t count = PySequence_Fast_GET_SIZE(lines.get());
    for (Py_ssize_t i = 0; i < count; ++i) {
        const object pair = checked(PySequence_Fast(PySequence_Fast_GET_ITEM(lines.get(), i),
                                                    "a header field must be a pair of bytes: (name, value)"));
        if (PySequence_Fast_GET_SIZE(pair.get()) != 2) {
            PyErr_SetString(PyExc_ValueError, "a header field must be a pair of bytes: (name, value)");
            throw error_set();
        }
        read_field(bytes_of(PySequence_Fast_GET_ITEM(pair.get(), 0)), bytes_of(PySequence_Fast_GET_ITEM(pair.get(), 1)),
                   to);
    }
}

PyObject* find_entry(PyObject* message, const object& name) {
    PyObject* const found = PyDict_GetItemWithError(message, name.get());
    if (found == nullptr && PyErr_Occurred()) throw error_set();
    return found == Py_None ? nullptr : found;
}

bool is_entry_true(PyObject* message, const object& name) {
    PyObject* const found = find_entry(message, name);
    if (found == nullptr || found == Py_False) return false;
    const int is_true = PyObject_IsTrue(found);
    checked(is_true);
    return is_true != 0;
}

std::uint64_t read_number(PyObject* message, const object& name, std::uint64_t otherwise) {
    PyObject* const found = find_entry(message, name);
    if (found == nullptr) return otherwise;
    const unsigned long long n = PyLong_AsUnsignedLongLong(found);
    if (n == static_cast<unsigned long long>(-1) && PyErr_Occurred()) {
        PyErr_Clear();
        PyErr_Format(PyExc_ValueError, "'%U' of an ASGI message must be a number from 0 on, not %R", name.get(), found);
        throw error_set();
    }
    return n;
}

object read_body(PyObject* message) {
    PyObject* const body = find_entry(message, runtime::get().name.body);
    if (body == nullptr) return runtime::get().empty_bytes;
    if (PyBytes_CheckExact(body)) return object::borrow(body);
    if (PyObject_CheckBuffer(body)) return checked(PyBytes_FromObject(body));
    PyErr_Format(PyExc_TypeError, "the body of a response must be bytes, not %.80s", Py_TYPE(body)->tp_name);
    throw error_set();
}

}  // namespace rondo::python
