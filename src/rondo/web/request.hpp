// SPDX-License-Identifier: Apache-2.0
// The request as views and middleware see it.
#pragma once

#include <concepts>
#include <cstdint>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <rondo/coro/task.hpp>
#include <rondo/handler/error.hpp>
#include <rondo/handler/request.hpp>
#include <rondo/web/routing/convert.hpp>

namespace rondo::codec {
class json_value;
}

namespace rondo {

class form_data;
struct form_limits;

namespace detail {
struct route_entry;

template <class T>
inline char local_key = 0;
}  // namespace detail

/// A request. Every string_view it returns stays valid until the response is finished, across every co_await. To be
/// used on the request's loop thread only; a sync or cpu view has exclusive use of it while it runs, and must not call
/// functions that return a task. `is_cancelled()` may be called from any thread.
class request {
public:
    explicit request(handler::request& from) noexcept : request_(&from) {}
    request(const request&) = delete;
    request& operator=(const request&) = delete;
    ~request() {
        if (locals_ != nullptr) destroy_locals();
    }

    [[nodiscard]] http::method method() const noexcept { return request_->method; }
    /// Returns the method as received, which also names http::method::other.
    [[nodiscard]] std::string_view method_text() const noexcept { return request_->method_text; }
    /// Returns the request target as received.
    [[nodiscard]] std::string_view target() const noexcept { return request_->target; }
    /// Returns the percent-decoded path ("*" for OPTIONS *). An encoded '/' is indistinguishable from a literal one;
    /// use path parameters where that matters. Throws http_error 400 if the path contains an encoded NUL.
    [[nodiscard]] std::string_view path();
    /// Returns the path as received.
    [[nodiscard]] std::string_view raw_path() const noexcept { return request_->path; }

    /// Returns the decoded value of the first query parameter of this name.
    [[nodiscard]] std::optional<std::string_view> query(std::string_view name);
    /// Returns all query parameters, decoded, in order.
    [[nodiscard]] std::span<const http::field> query_pairs();
    /// Returns the query as received, without '?'.
    [[nodiscard]] std::string_view raw_query() const noexcept { return request_->query; }
    /// Returns a query parameter converted to an integer, floating-point number, bool, std::string or a type with a
    /// path_converter; `default_value` if it is missing. Throws http_error 400 if it is present but invalid.
    template <class T>
    [[nodiscard]] T query_as(std::string_view name, std::type_identity_t<T> default_value);
    /// Returns a required query parameter. Throws http_error 400 if it is missing or invalid.
    template <class T>
    [[nodiscard]] T query_as(std::string_view name);

    [[nodiscard]] const http::fields_view& fields() const noexcept { return request_->fields; }
    /// Returns the first header field of this name, ignoring case.
    [[nodiscard]] std::optional<std::string_view> field(std::string_view name) const noexcept {
        return request_->fields.find(name);
    }
    [[nodiscard]] std::optional<std::string_view> cookie(std::string_view name) const noexcept;
    /// Returns the requested host[:port]; empty for HTTP/1.0 without Host. Host, address and scheme are those that a
    /// trusted proxy reports for its client, if it does (docs/proxies.md).
    [[nodiscard]] std::string_view host() const noexcept { return request_->authority; }
    /// Returns the client's address without port.
    [[nodiscard]] std::string_view peer_address() const noexcept;
    /// Returns "http" or "https".
    [[nodiscard]] std::string_view scheme() const noexcept;
    /// Returns the id of this request for logs: set by set_id(), otherwise 32 hex digits generated on the first call.
    [[nodiscard]] std::string_view id();
    /// Sets the id; the text is copied.
    void set_id(std::string_view id) { cache().id = request_->memory->copy(id); }

    /// Returns the percent-decoded text of a path parameter, or nothing if the route has none of this name.
    [[nodiscard]] std::optional<std::string_view> arg(std::string_view name) const noexcept;
    /// Returns the pattern of the matched route ("/articles/<int:year>"), or an empty text.
    [[nodiscard]] std::string_view route() const noexcept;

    /// Returns the next bytes of the body, valid until the next call; empty at the end. See handler::body::read().
    [[nodiscard]] task<std::string_view> read();
    /// Returns the whole body; may be called repeatedly. Throws http_error 413 if it exceeds the limit of the route or
    /// server. A body over spool::default_threshold bytes is mapped from an unnamed temporary file.
    [[nodiscard]] task<std::string_view> read_all();
    /// Returns the whole body with a limit in bytes for this request. Only before the first read.
    [[nodiscard]] task<std::string_view> read_all(std::uint64_t limit);
    /// Returns the whole body in a sync or cpu view: the framework reads it before it calls such a view. Throws
    /// std::logic_error if the body has not been read.
    [[nodiscard]] std::string_view read_all_sync() const;

    /// Parses the body as JSON. Throws http_error 415 if the type is not application/json (or ...+json), 400 if the
    /// body is not valid JSON.
    [[nodiscard]] task<codec::json_value> json();
    [[nodiscard]] codec::json_value json_sync() const;
    /// Parses the body as a form, urlencoded or multipart; the request owns the result. Throws http_error 415 for
    /// another type, 400 if it is malformed, 413 over a limit.
    [[nodiscard]] task<form_data&> form();
    [[nodiscard]] task<form_data&> form(form_limits limits);
    [[nodiscard]] form_data& form_sync();

    /// Returns true when the response is no longer needed (client disconnected, deadline passed, server shutting down).
    /// Callable from any thread.
    [[nodiscard]] bool is_cancelled() const noexcept { return token().is_cancelled(); }
    [[nodiscard]] cancel_token token() const noexcept {
        return request_->context != nullptr ? request_->context->token() : cancel_token();
    }
    /// Returns the deadline of the request; instant::max() if it has none.
    [[nodiscard]] instant deadline() const noexcept {
        return request_->context != nullptr ? request_->context->deadline : instant::max();
    }
    [[nodiscard]] instant arrived() const noexcept { return request_->arrived; }

    /// Returns the object of type T that belongs to this request, creating it on the first call. Destroyed with the
    /// request. Middleware passes data to views with it: `req.local<current_user>()`.
    template <class T>
    [[nodiscard]] T& local();
    /// Returns that object, or null if it was never created.
    template <class T>
    [[nodiscard]] T* local_or_null() const noexcept {
        return static_cast<T*>(find_local(&detail::local_key<T>));
    }

    [[nodiscard]] handler::body& body() const noexcept { return *request_->body; }
    /// Returns the underlying request of the server.
    [[nodiscard]] handler::request& server_request() const noexcept { return *request_; }
    /// Returns the arena whose memory lives as long as the request.
    [[nodiscard]] arena& memory() const noexcept { return *request_->memory; }

    /// Called by the framework. `arguments` has one element per parameter of the route and lives as long as the
    /// request.
    void set_route(const detail::route_entry& route, const std::string_view* arguments) noexcept {
        route_ = &route;
        arguments_ = arguments;
    }
    [[nodiscard]] const detail::route_entry* matched_route() const noexcept { return route_; }
    [[nodiscard]] const std::string_view* arguments() const noexcept { return arguments_; }

private:
    struct local_node {
        local_node* next;
        const void* key;
        void* object;
        void (*destroy)(void*) noexcept;
    };

    /// Results that are computed once. Allocated in the request's arena on demand, because few requests need them.
    struct request_cache {
        std::string_view path;
        std::string_view id;
        std::string_view body;
        std::span<const http::field> query;
        bool query_read = false;
        bool body_read = false;
    };
    [[nodiscard]] request_cache& cache();
    [[nodiscard]] bool is_body_read() const noexcept { return cache_ != nullptr && cache_->body_read; }

    [[nodiscard]] void* find_local(const void* key) const noexcept;
    void destroy_locals() noexcept;
    [[noreturn]] static void throw_bad_query(std::string_view name, std::string_view expected);
    void read_query();
    [[nodiscard]] bool is_json() const;
    [[nodiscard]] std::string_view content_type() const noexcept {
        return field("Content-Type").value_or(std::string_view());
    }

    handler::request* request_;
    const detail::route_entry* route_ = nullptr;
    const std::string_view* arguments_ = nullptr;
    request_cache* cache_ = nullptr;
    local_node* locals_ = nullptr;
};

template <class T>
T& request::local() {
    static_assert(alignof(T) <= alignof(std::max_align_t));
    const void* key = &detail::local_key<T>;
    if (void* existing = find_local(key)) return *static_cast<T*>(existing);
    void* memory = request_->memory->allocate(sizeof(T), alignof(T));
    auto* node = static_cast<local_node*>(request_->memory->allocate(sizeof(local_node), alignof(local_node)));
    T* object = ::new (memory) T();
    locals_ = ::new (node) local_node{locals_, key, object, [](void* o) noexcept { static_cast<T*>(o)->~T(); }};
    return *object;
}

template <class T>
T request::query_as(std::string_view name, std::type_identity_t<T> default_value) {
    const auto text = query(name);
    if (!text) return default_value;
    if (auto value = convert<T>(*text)) return *std::move(value);
    throw_bad_query(name, type_description<T>());
}

template <class T>
T request::query_as(std::string_view name) {
    const auto text = query(name);
    if (!text) throw_bad_query(name, {});
    if (auto value = convert<T>(*text)) return *std::move(value);
    throw_bad_query(name, type_description<T>());
}

}  // namespace rondo
