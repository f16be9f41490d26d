// SPDX-License-Identifier: Apache-2.0
// Reads the messages of an ASGI response from Python objects.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <rondo/http/fields.hpp>
#include <rondo/python/python_api.hpp>

namespace rondo::python {

/// The head of a response as the application gave it. Fields that frame the message are not among `fields`.
struct response_fields {
    http::fields fields;
    std::optional<std::uint64_t> length;  ///< of Content-Length
    bool is_chunked = false;              ///< the application has set Transfer-Encoding: no Content-Length is added
    bool close = false;                   ///< the application wants the connection closed
    bool has_date = false;

    void clear() noexcept;
};

/// Reads `headers`, an iterable of pairs of bytes. Throws error_set, std::invalid_argument and response_error.
void read_fields(PyObject* headers, response_fields& to);
/// A list of the pairs, which can be read again. Throws error_set.
[[nodiscard]] object to_list(PyObject* headers);

/// An entry of a message: borrowed; null when it is missing.
[[nodiscard]] PyObject* find_entry(PyObject* message, const object& name);
[[nodiscard]] bool is_entry_true(PyObject* message, const object& name);
/// Throws error_set with a message that names the entry.
[[nodiscard]] std::uint64_t read_number(PyObject* message, const object& name, std::uint64_t otherwise);
/// The bytes of the entry `body`: a bytes object, also for other objects with the buffer protocol.
[[nodiscard]] object read_body(PyObject* message);

}  // namespace rondo::python
