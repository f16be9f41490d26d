// SPDX-License-Identifier: Apache-2.0
// The messages given to send(): the response, files, trailers and early hints.
#include <algorithm>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rondo/base/log.hpp>
#include <rondo/handler/error.hpp>
#include <rondo/python/asgi_application.hpp>
#include <rondo/python/asgi_exchange.hpp>
#include <rondo/python/runtime.hpp>

namespace rondo::python {

namespace {

[[noreturn]] void throw_unexpected(PyObject* type, const char* when) {
    PyErr_Format(PyExc_RuntimeError, "unexpected ASGI message %R %s", type, when);
    throw error_set();
}

[[noreturn]] void throw_disconnected() {
    PyErr_SetString(runtime::get().client_disconnected.get(), "the client has closed the connection");
    throw error_set();
}

// Interned by nearly all applications, so that usually no text is compared.
bool equals(PyObject* type, const object& name) {
    if (type == name.get()) return true;
    const int result = PyUnicode_Compare(type, name.get());
    if (result == -1 && PyErr_Occurred()) throw error_set();
    return result == 0;
}

PyObject* type_of(PyObject* message) {
    if (!PyDict_Check(message)) {
        PyErr_Format(PyExc_TypeError, "an ASGI message must be a dict, not %.80s", Py_TYPE(message)->tp_name);
        throw error_set();
    }
    PyObject* const type = find_entry(message, runtime::get().name.type);
    if (type == nullptr || !PyUnicode_Check(type)) {
        PyErr_SetString(PyExc_ValueError, "an ASGI message must have a 'type' that is a str");
        throw error_set();
    }
    return type;
}

http::status read_status(PyObject* message) {
    PyObject* const status = find_entry(message, runtime::get().name.status);
    const long code = status == nullptr ? -1 : PyLong_AsLong(status);
    if (PyErr_Occurred()) PyErr_Clear();
    if (code >= 200 && code <= 599) return static_cast<http::status>(code);
    PyErr_Format(PyExc_ValueError, "'status' of http.response.start must be a number from 200 to 599, not %R",
                 status == nullptr ? Py_None : status);
    throw error_set();
}

unique_fd open_path(PyObject* message) {
    PyObject* const path = find_entry(message, runtime::get().name.path);
    PyObject* encoded = nullptr;
    if (path == nullptr || PyUnicode_FSConverter(path, static_cast<void*>(&encoded)) == 0) {
        if (!PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "http.response.pathsend needs a 'path'");
        throw error_set();
    }
    const object name = object::steal(encoded);
    unique_fd file(::open(PyBytes_AS_STRING(name.get()), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    if (!file) {
        PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, path);
        throw error_set();
    }
    return file;
}

unique_fd duplicate_file(PyObject* message) {
    PyObject* const given = find_entry(message, runtime::get().name.file);
    const int fd = given == nullptr ? -1 : PyObject_AsFileDescriptor(given);
    if (fd < 0) {
        if (!PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "http.response.zerocopysend needs a 'file'");
        throw error_set();
    }
    unique_fd file(fcntl(fd, F_DUPFD_CLOEXEC, 0));
    if (!file) {
        PyErr_SetFromErrno(PyExc_OSError);
        throw error_set();
    }
    return file;
}

std::uint64_t regular_size(int fd) {
    struct stat status{};
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        PyErr_SetString(PyExc_ValueError, "only a regular file can be sent");
        throw error_set();
    }
    return static_cast<std::uint64_t>(status.st_size);
}

}  // namespace

bool asgi_exchange::send(call_state& call, PyObject* message, bool& started) {
    if (started) {
        if (call.exchange != nullptr && call.exchange->is_writing_) return false;
        if (call.is_aborted && !call.is_disconnected) throw response_error("the response was aborted");
        if (call.is_disconnected && !call.is_complete) throw_disconnected();
        return true;
    }
    PyObject* const type = type_of(message);
    if (call.is_disconnected && !call.is_complete) throw_disconnected();
    if (call.exchange == nullptr) {
        if (call.is_aborted) throw_disconnected();
        throw_unexpected(type, "after the response is complete");
    }
    if (call.exchange->is_writing_) return false;
    return call.exchange->send_message(call, message, started);
}

bool asgi_exchange::send_message(call_state& call, PyObject* message, bool& started) {
    const names& n = runtime::get().name;
    PyObject* const type = type_of(message);
    // What a responder throws because the client has gone is reported before the loop notices it.
    try {
        if (equals(type, n.response_start)) {
            if (response_ != response_state::none) throw_unexpected(type, "after http.response.start");
            return on_start(message), true;
        }
        if (equals(type, n.response_early_hint)) {
            if (response_ != response_state::none) throw_unexpected(type, "after http.response.start");
            return on_early_hint(message), true;
        }
        if (equals(type, n.response_trailers)) {
            if (response_ != response_state::trailers) throw_unexpected(type, "before the end of the body");
            return on_trailers(message), true;
        }
        const bool is_path = equals(type, n.response_pathsend);
        const bool is_file = is_path || equals(type, n.response_zerocopysend);
        if (!is_file && !equals(type, n.response_body)) throw_unexpected(type, "for an HTTP request");
        if (response_ == response_state::none) throw_unexpected(type, "before http.response.start");
        if (response_ == response_state::trailers) throw_unexpected(type, "after the end of the body");
        return is_file ? on_file(message, is_path, started) : on_body(message, started);
    } catch (const std::system_error&) {
        call.is_disconnected = true;
        throw;
    } catch (const cancelled&) {
        call.is_disconnected = true;
        throw;
    }
}

void asgi_exchange::on_start(PyObject* message) {
    const names& n = runtime::get().name;
    status_ = read_status(message);
    PyObject* const headers = find_entry(message, n.headers);
    object list = headers == nullptr ? checked(PyTuple_New(0)) : to_list(headers);
    read_fields(list.get(), application_.scratch_fields(this));
    headers_ = std::move(list);
    has_trailers_ = is_entry_true(message, n.trailers);
    response_ = response_state::head;
}

// The fields of the response, parsed again if another request has used the memory for them meanwhile.
response_fields& asgi_exchange::fields() {
    if (!application_.owns_scratch_fields(this)) read_fields(headers_.get(), application_.scratch_fields(this));
    return application_.scratch_fields(this);
}

handler::response_head asgi_exchange::head(const response_fields& f) const noexcept {
    handler::response_head result;
    result.code = status_;
    result.fields = &f.fields;
    result.close = f.close;
    result.has_date = f.has_date;
    return result;
}

void asgi_exchange::start_response(std::optional<std::uint64_t> length_of_whole) {
    const response_fields& f = fields();
    responder_.start(head(f), f.length ? f.length : length_of_whole);
    headers_.reset();
    response_ = response_state::body;
}

bool asgi_exchange::on_body(PyObject* message, bool& started) {
    object body = read_body(message);
    const std::string_view content = view_of_bytes(body.get());
    const bool is_last = !is_entry_true(message, runtime::get().name.more_body);
    if (response_ == response_state::head) {
        const response_fields& f = fields();
        const bool is_whole = is_last && !has_trailers_ && content.size() <= handler::responder::small_body_limit;
        if (is_whole && (f.length ? *f.length == content.size() : !f.is_chunked)) {
            responder_.respond(head(f), content);
            complete_response();
            return true;
        }
        const bool has_length = is_last && !has_trailers_ && !f.is_chunked;
        start_response(has_length ? std::optional<std::uint64_t>(content.size()) : std::nullopt);
    }
    if (!responder_.try_write(content))
        return start_writing({.body = std::move(body), .file = {}, .offset = 0, .length = 0, .is_last = is_last},
                             started);
    if (is_last) finish_body();
    else application_.on_activity();
    return true;
}

bool asgi_exchange::on_file(PyObject* message, bool is_path, bool& started) {
    const names& n = runtime::get().name;
    unique_fd file = is_path ? open_path(message) : duplicate_file(message);
    const std::uint64_t size = regular_size(file.value());
    std::uint64_t offset = 0;
    std::uint64_t length = size;
    if (!is_path) {
        const off_t cursor = lseek(file.value(), 0, SEEK_CUR);
        offset = read_number(message, n.offset, cursor < 0 ? 0 : static_cast<std::uint64_t>(cursor));
        if (offset > size) throw std::invalid_argument("the offset is beyond the end of the file");
        length = std::min(read_number(message, n.count, size - offset), size - offset);
    }
    const bool is_last = is_path || !is_entry_true(message, n.more_body);
    if (response_ == response_state::head)
        start_response(is_last && !has_trailers_ ? std::optional<std::uint64_t>(length) : std::nullopt);
    return start_writing({.body = {}, .file = std::move(file), .offset = offset, .length = length, .is_last = is_last},
                         started);
}

void asgi_exchange::finish_body() {
    if (has_trailers_) {
        response_ = response_state::trailers;
        return;
    }
    responder_.finish();
    complete_response();
}

void asgi_exchange::complete_response() noexcept {
    application_.gil().acquire();
    response_ = response_state::complete;
    state_of(call_.get()).is_complete = true;
    end_exchange();
}

void asgi_exchange::on_trailers(PyObject* message) {
    const names& n = runtime::get().name;
    if (!trailers_) trailers_ = checked(PyList_New(0));
    if (PyObject* const more = find_entry(message, n.headers); more != nullptr)
        checked(PyList_SetSlice(trailers_.get(), PY_SSIZE_T_MAX, PY_SSIZE_T_MAX, to_list(more).get()));
    if (is_entry_true(message, n.more_trailers)) return;
    response_fields f;
    read_fields(trailers_.get(), f);
    responder_.finish_with(f.fields);
    complete_response();
}

void asgi_exchange::on_early_hint(PyObject* message) {
    PyObject* const links = find_entry(message, runtime::get().name.links);
    if (links == nullptr) return;
    const object list = checked(PySequence_Fast(links, "'links' of http.response.early_hint must be an iterable"));
    http::fields fields;
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(list.get()); ++i) {
        PyObject* const link = PySequence_Fast_GET_ITEM(list.get(), i);
        if (!PyBytes_Check(link)) {
            PyErr_SetString(PyExc_TypeError, "'links' of http.response.early_hint must contain bytes");
            throw error_set();
        }
        fields.add("link", view_of_bytes(link));
    }
    responder_.inform(http::status::early_hints, fields);
    application_.on_activity();
}

// A send() that was cancelled meanwhile does not stop this: the response would end in the middle.
task<void> asgi_exchange::write(write_source source) {
    std::string error;
    bool has_failed = true;
    try {
        if (source.file) co_await responder_.write_file(source.file.value(), source.offset, source.length);
        else co_await responder_.write(view_of_bytes(source.body.get()));
        if (source.is_last) finish_body();
        has_failed = false;
    } catch (const std::system_error&) {
    } catch (const cancelled&) {
    } catch (const std::exception& e) {
        error = e.what();
    }
    application_.gil().acquire();
    source.body.reset();
    if (!has_failed) co_return;
    if (error.empty()) state_of(call_.get()).is_disconnected = true;
    else log::error(error);
    fail(http::status::internal_server_error);
}

bool asgi_exchange::start_writing(write_source source, bool& started) {
    started = true;
    is_writing_ = true;
    start_task(writer_, write(std::move(source)), writer_task);
    application_.on_activity();
    if (is_writing_) return false;
    return send(state_of(call_.get()), nullptr, started);
}

}  // namespace rondo::python
