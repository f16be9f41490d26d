// SPDX-License-Identifier: Apache-2.0
// The state of the extension module: interned names, prebuilt objects, types and the asyncio functions in use.
#pragma once

#include <rondo/python/python_api.hpp>

namespace rondo::python {

[[nodiscard]] object intern(const char* text);

/// Interned strings.
struct names {
    object type = intern("type");
    object asgi = intern("asgi");
    object http_version = intern("http_version");
    object method = intern("method");
    object scheme = intern("scheme");
    object path = intern("path");
    object raw_path = intern("raw_path");
    object query_string = intern("query_string");
    object root_path = intern("root_path");
    object headers = intern("headers");
    object client = intern("client");
    object server = intern("server");
    object state = intern("state");
    object extensions = intern("extensions");
    object route = intern("route");
    object body = intern("body");
    object more_body = intern("more_body");
    object status = intern("status");
    object trailers = intern("trailers");
    object more_trailers = intern("more_trailers");
    object links = intern("links");
    object file = intern("file");
    object offset = intern("offset");
    object count = intern("count");
    object http_request = intern("http.request");
    object http_disconnect = intern("http.disconnect");
    object response_start = intern("http.response.start");
    object response_body = intern("http.response.body");
    object response_trailers = intern("http.response.trailers");
    object response_pathsend = intern("http.response.pathsend");
    object response_zerocopysend = intern("http.response.zerocopysend");
    object response_early_hint = intern("http.response.early_hint");
    object close = intern("close");
    object throw_ = intern("throw");
    object set_result = intern("set_result");
    object done = intern("done");
    object cancel = intern("cancel");
    object call_soon = intern("call_soon");
    object ready = intern("_ready");
    object scheduled = intern("_scheduled");
    object stop = intern("stop");
    object exceptions = intern("exceptions");
};

/// What the extension keeps per interpreter: the state of its module. Created and destroyed with the GIL.
class runtime {
public:
    /// Throws error_set.
    explicit runtime(PyObject* module);
    ~runtime();
    runtime(const runtime&) = delete;
    runtime& operator=(const runtime&) = delete;

    /// The one instance; exists from the import of the module on.
    [[nodiscard]] static runtime& get() noexcept { return *instance; }

    /// Imports asyncio's classes. Once in each process that serves; throws error_set.
    void load_asyncio();

    names name;
    object empty_bytes;
    object client_disconnected;  ///< rondo.ClientDisconnected, an OSError
    object call_type;
    object callable_type;
    object operation_type;
    object driver_type;
    object completion_type;
    // After load_asyncio().
    object task_type;
    object future_type;
    object cancelled_error;
    object task_keywords;    ///< the names of the keyword arguments of Task() as used here
    object future_keywords;  ///< ("loop",)

private:
    static runtime* instance;
};

/// The types, made by the sources that implement them. They throw error_set.
[[nodiscard]] object make_call_type();
[[nodiscard]] object make_callable_type();
[[nodiscard]] object make_operation_type();
[[nodiscard]] object make_driver_type();
[[nodiscard]] object make_completion_type();

}  // namespace rondo::python
