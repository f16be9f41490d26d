// SPDX-License-Identifier: Apache-2.0
#include <rondo/python/asgi_scope.hpp>

#include <algorithm>
#include <utility>

#include <rondo/codec/percent.hpp>
#include <rondo/python/runtime.hpp>

namespace rondo::python {

namespace {

constexpr const char* common_names[] = {"accept",
                                        "accept-charset",
                                        "accept-encoding",
                                        "accept-language",
                                        "access-control-request-headers",
                                        "access-control-request-method",
                                        "authorization",
                                        "cache-control",
                                        "connection",
                                        "content-encoding",
                                        "content-length",
                                        "content-type",
                                        "cookie",
                                        "date",
                                        "dnt",
                                        "expect",
                                        "forwarded",
                                        "from",
                                        "host",
                                        "if-match",
                                        "if-modified-since",
                                        "if-none-match",
                                        "if-range",
                                        "if-unmodified-since",
                                        "keep-alive",
                                        "origin",
                                        "pragma",
                                        "priority",
                                        "range",
                                        "referer",
                                        "sec-ch-ua",
                                        "sec-ch-ua-mobile",
                                        "sec-ch-ua-platform",
                                        "sec-fetch-dest",
                                        "sec-fetch-mode",
                                        "sec-fetch-site",
                                        "sec-fetch-user",
                                        "sec-gpc",
                                        "te",
                                        "traceparent",
                                        "tracestate",
                                        "transfer-encoding",
                                        "upgrade",
                                        "upgrade-insecure-requests",
                                        "user-agent",
                                        "via",
                                        "x-csrftoken",
                                        "x-forwarded-for",
                                        "x-forwarded-host",
                                        "x-forwarded-port",
                                        "x-forwarded-proto",
                                        "x-real-ip",
                                        "x-request-id",
                                        "x-requested-with"};

constexpr const char* common_methods[] = {"GET", "POST", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"};

constexpr char to_lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

std::size_t hash(std::string_view name) noexcept {
    std::uint32_t h = 2166136261u;
    for (char c : name) h = (h ^ static_cast<unsigned char>(c)) * 16777619u;
    return h ^ (h >> 15);
}

void set(PyObject* dict, const object& key, const object& value) {
    checked(PyDict_SetItem(dict, key.get(), value.get()));
}

object address_tuple(std::string_view address, object port) {
    object tuple = checked(PyTuple_New(2));
    PyTuple_SET_ITEM(tuple.get(), 0, text(address).release());
    PyTuple_SET_ITEM(tuple.get(), 1, port.release());
    return tuple;
}

}  // namespace

field_name_cache::field_name_cache() {
    for (const char* name : common_names) {
        std::size_t slot = hash(name) % slots;
        while (names_[slot]) slot = (slot + 1) % slots;
        names_[slot] = bytes(name);
    }
}

object field_name_cache::lower(std::string_view name) const {
    if (name.size() > longest) {
        object made = checked(PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(name.size())));
        std::transform(name.begin(), name.end(), PyBytes_AS_STRING(made.get()), to_lower);
        return made;
    }
    char lowered[longest];
    std::transform(name.begin(), name.end(), lowered, to_lower);
    const std::string_view key(lowered, name.size());
    for (std::size_t slot = hash(key) % slots; names_[slot]; slot = (slot + 1) % slots)
        if (view_of_bytes(names_[slot].get()) == key) return names_[slot];
    return bytes(key);
}

scope_factory::scope_factory(std::string root_path, object state)
    : root_path_(std::move(root_path)),
      state_(std::move(state)),
      base_(checked(PyDict_New())),
      asgi_(checked(Py_BuildValue("{ssss}", "version", "3.0", "spec_version", "2.5"))),
      extensions_(checked(Py_BuildValue("{s{}s{}s{}}", "http.response.pathsend", "http.response.zerocopysend",
                                        "http.response.early_hint"))),
      extensions_with_trailers_(checked(PyDict_Copy(extensions_.get()))),
      extensions_1_0_(checked(Py_BuildValue("{s{}s{}}", "http.response.pathsend", "http.response.zerocopysend"))),
      http_1_0_(intern("1.0")),
      http_1_1_(intern("1.1")),
      https_(intern("https")) {
    const names& n = runtime::get().name;
    while (root_path_.ends_with('/')) root_path_.pop_back();
    set(extensions_with_trailers_.get(), n.response_trailers, checked(PyDict_New()));
    for (const char* token : common_methods) methods_.push_back(intern(token));
    const object none = object::borrow(Py_None);
    set(base_.get(), n.type, intern("http"));
    set(base_.get(), n.asgi, asgi_);
    set(base_.get(), n.http_version, http_1_1_);
    set(base_.get(), n.method, methods_.front());
    set(base_.get(), n.scheme, intern("http"));
    set(base_.get(), n.path, none);
    set(base_.get(), n.raw_path, none);
    set(base_.get(), n.query_string, runtime::get().empty_bytes);
    set(base_.get(), n.root_path, text(root_path_));
    set(base_.get(), n.headers, none);
    set(base_.get(), n.client, none);
    set(base_.get(), n.server, none);
    set(base_.get(), n.state, none);
    set(base_.get(), n.extensions, extensions_);
}

object scope_factory::headers(const http::fields_view& fields) const {
    object list = checked(PyList_New(static_cast<Py_ssize_t>(fields.size())));
    Py_ssize_t i = 0;
    for (const http::field& f : fields) {
        object pair = checked(PyTuple_New(2));
        PyTuple_SET_ITEM(pair.get(), 0, field_names_.lower(f.name).release());
        PyTuple_SET_ITEM(pair.get(), 1, bytes(f.value).release());
        PyList_SET_ITEM(list.get(), i++, pair.release());
    }
    return list;
}

// A proxy may or may not have removed the root path from the target: `path` includes it in both cases.
object scope_factory::path(std::string_view encoded) const {
    const bool is_encoded = encoded.find('%') != encoded.npos;
    std::optional<std::string> decoded;
    if (is_encoded) decoded = codec::percent_decode(encoded);
    const std::string_view path = decoded ? std::string_view(*decoded) : encoded;
    if (root_path_.empty() || path == root_path_ || path == "*" ||
        (path.starts_with(root_path_) && path.substr(root_path_.size()).starts_with('/')))
        return text(path);
    return text(root_path_ + std::string(path));
}

object scope_factory::method(std::string_view token) const {
    for (const object& m : methods_)
        if (view_of_text(m.get()) == token) return m;
    return text(token);
}

object scope_factory::server_address(handler::connection_info& connection) {
    const std::string_view address = connection.local_address();
    const std::uint16_t port = connection.local_port();
    if (server_ && port == server_port_ && address == server_address_text_) return server_;
    server_ = address_tuple(address, connection.is_unix() ? object::borrow(Py_None) : checked(PyLong_FromLong(port)));
    server_address_text_ = address;
    server_port_ = port;
    return server_;
}

object scope_factory::make(handler::request& r) {
    const names& n = runtime::get().name;
    object scope = checked(PyDict_Copy(base_.get()));
    PyObject* const s = scope.get();
    handler::connection_info& connection = *r.connection;
    const bool is_1_0 = r.version_minor == 0;
    set(s, n.asgi, checked(PyDict_Copy(asgi_.get())));
    if (is_1_0) set(s, n.http_version, http_1_0_);
    if (r.method != http::method::get) set(s, n.method, method(r.method_text));
    if (connection.is_secure()) set(s, n.scheme, https_);
    set(s, n.path, path(r.path));
    set(s, n.raw_path, bytes(r.path));
    if (!r.query.empty()) set(s, n.query_string, bytes(r.query));
    set(s, n.headers, headers(r.fields));
    const std::string_view peer = connection.peer_address();
    if (peer != "unix") set(s, n.client, address_tuple(peer, checked(PyLong_FromLong(connection.peer_port()))));
    set(s, n.server, server_address(connection));
    set(s, n.state, checked(PyDict_Copy(state_.get())));
    const bool has_trailers = !is_1_0 && r.fields.contains_token("te", "trailers");
    const object& extensions = is_1_0 ? extensions_1_0_ : has_trailers ? extensions_with_trailers_ : extensions_;
    set(s, n.extensions, checked(PyDict_Copy(extensions.get())));
    return scope;
}

}  // namespace rondo::python
