// SPDX-License-Identifier: Apache-2.0
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

/// One request, as views and middleware see it. Every string_view it gives lives until the response is finished, across
/// every co_await. Belongs to the request's loop thread; a sync or cpu view uses it alone while it runs, and must then
/// only call what is not a task. `cancelled()` may be called from any thread.
class request {
public:
    explicit request(handler::request& from) noexcept : from_(&from) {}
    request(const request&) = delete;
    request& operator=(const request&) = delete;
    ~request() {
        if (locals_ != nullptr) destroy_locals();
    }

    [[nodiscard]] http::method method() const noexcept { return from_->method; }
    /// The method as received, also for http::method::other.
    [[nodiscard]] std::string_view method_text() const noexcept { return from_->method_text; }
    /// The request target as received.
    [[nodiscard]] std::string_view target() const noexcept { return from_->target; }
    /// The path, percent-decoded ("*" for OPTIONS *). A '/' that was encoded looks like any other: use arguments for
    /// what must not be confused. Throws http_error 400 when it holds an encoded NUL.
    [[nodiscard]] std::string_view path();
    /// The path as received.
    [[nodiscard]] std::string_view raw_path() const noexcept { return from_->path; }

    /// The decoded value of the first pair of the query with this name.
    [[nodiscard]] std::optional<std::string_view> query(std::string_view name);
    /// All pairs of the query, decoded, in order.
    [[nodiscard]] std::span<const http::field> query_pairs();
    /// The query as received, without '?'.
    [[nodiscard]] std::string_view raw_query() const noexcept { return from_->query; }
    /// The value of a pair of the query as an integer, floating-point number, bool, std::string or a type with a
    /// path_converter; `otherwise` when it is missing. Throws http_error 400 when it is there and is none.
    template <class T>
    [[nodiscard]] T query_as(std::string_view name, std::type_identity_t<T> otherwise);
    /// The same for one that must be there: http_error 400 when it is missing.
    template <class T>
    [[nodiscard]] T query_as(std::string_view name);

    [[nodiscard]] const http::fields_view& fields() const noexcept { return from_->fields; }
    /// The first line of this name, without case.
    [[nodiscard]] std::optional<std::string_view> field(std::string_view name) const noexcept {
        return from_->fields.find(name);
    }
    [[nodiscard]] std::optional<std::string_view> cookie(std::string_view name) const noexcept;
    /// host[:port] the client asked for; empty for HTTP/1.0 without Host. This, the address and the scheme are what a
    /// trusted proxy told of its client, if it told (docs/proxies.md).
    [[nodiscard]] std::string_view host() const noexcept { return from_->authority; }
    /// The client's address without port.
    [[nodiscard]] std::string_view peer_address() const noexcept;
    /// "http" or "https".
    [[nodiscard]] std::string_view scheme() const noexcept;
    /// A name for this request in logs: 32 hex digits, made when first wanted, or what use_id() set.
    [[nodiscard]] std::string_view id();
    /// The text is copied.
    void use_id(std::string_view id) { parts().id = from_->memory->copy(id); }

    /// The text of a path parameter, percent-decoded; nothing when the route has none of this name.
    [[nodiscard]] std::optional<std::string_view> arg(std::string_view name) const noexcept;
    /// The pattern of the route that matched ("/articles/<int:year>"), empty when none did.
    [[nodiscard]] std::string_view route() const noexcept;

    /// The next bytes of the body, which hold until the next call; empty at the end. See handler::body::read().
    [[nodiscard]] task<std::string_view> read();
    /// The whole body. Throws http_error 413 when it is larger than the route or the server allows. May be called
    /// again. A body over spool::default_threshold bytes is kept in a nameless temporary file and mapped.
    [[nodiscard]] task<std::string_view> read_all();
    /// The same with a limit of its own, in bytes. Only before the first read.
    [[nodiscard]] task<std::string_view> read_all(std::uint64_t limit);
    /// For sync and cpu views: the framework reads the whole body before it gives a thread to such a view. Throws
    /// std::logic_error when the body was not read.
    [[nodiscard]] std::string_view read_all_sync() const;

    /// The body as JSON. Throws http_error 415 when the type is not application/json (or ...+json), 400 when it is
    /// not valid JSON.
    [[nodiscard]] task<codec::json_value> json();
    [[nodiscard]] codec::json_value json_sync() const;
    /// The body as a form, urlencoded or multipart; kept by the request. Throws http_error 415 for another type, 400
    /// when it is malformed, 413 when it is over the limits.
    [[nodiscard]] task<form_data&> form();
    [[nodiscard]] task<form_data&> form(form_limits limits);
    [[nodiscard]] form_data& form_sync();

    /// True when nobody waits for the response any more (disconnected, out of time, server stops). Any thread.
    [[nodiscard]] bool cancelled() const noexcept { return token().requested(); }
    [[nodiscard]] cancel_token token() const noexcept {
        return from_->running_in != nullptr ? from_->running_in->token() : cancel_token();
    }
    /// When the response is of no use any more; instant::max() for never.
    [[nodiscard]] instant deadline() const noexcept {
        return from_->running_in != nullptr ? from_->running_in->deadline : instant::max();
    }
    [[nodiscard]] instant arrived() const noexcept { return from_->arrived; }

    /// One object of each type per request, made when first asked for and destroyed with the request: how middleware
    /// tells views something (`req.local<current_user>()`).
    template <class T>
    [[nodiscard]] T& local();
    /// Null when nobody asked for it yet.
    template <class T>
    [[nodiscard]] T* local_if_made() const noexcept {
        return static_cast<T*>(find_local(&detail::local_key<T>));
    }

    [[nodiscard]] handler::body& body() const noexcept { return *from_->body; }
    /// The request as the server handed it over.
    [[nodiscard]] handler::request& received() const noexcept { return *from_; }
    /// Memory that lives as long as the request.
    [[nodiscard]] arena& memory() const noexcept { return *from_->memory; }

    /// By the router. `arguments` are as many as the route has parameters and live as long as the request.
    void matched(const detail::route_entry& route, const std::string_view* arguments) noexcept {
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

    /// What was worked out once; made in the request's arena when first wanted, for most requests never want it.
    struct remembered {
        std::string_view path;
        std::string_view id;
        std::string_view body;
        std::span<const http::field> query;
        bool query_read = false;
        bool body_read = false;
    };
    [[nodiscard]] remembered& parts();
    [[nodiscard]] bool body_is_read() const noexcept { return remembered_ != nullptr && remembered_->body_read; }

    [[nodiscard]] void* find_local(const void* key) const noexcept;
    void destroy_locals() noexcept;
    [[noreturn]] static void bad_query(std::string_view name, std::string_view expected);
    void read_query();
    [[nodiscard]] bool is_json() const;
    [[nodiscard]] std::string_view content_type() const noexcept {
        return field("Content-Type").value_or(std::string_view());
    }

    handler::request* from_;
    const detail::route_entry* route_ = nullptr;
    const std::string_view* arguments_ = nullptr;
    remembered* remembered_ = nullptr;
    local_node* locals_ = nullptr;
};

template <class T>
T& request::local() {
    static_assert(alignof(T) <= alignof(std::max_align_t));
    const void* key = &detail::local_key<T>;
    if (void* made = find_local(key)) return *static_cast<T*>(made);
    void* memory = from_->memory->allocate(sizeof(T), alignof(T));
    auto* node = static_cast<local_node*>(from_->memory->allocate(sizeof(local_node), alignof(local_node)));
    T* object = ::new (memory) T();
    locals_ = ::new (node) local_node{locals_, key, object, [](void* o) noexcept { static_cast<T*>(o)->~T(); }};
    return *object;
}

template <class T>
T request::query_as(std::string_view name, std::type_identity_t<T> otherwise) {
    const auto text = query(name);
    if (!text) return otherwise;
    if (auto value = convert<T>(*text)) return *std::move(value);
    bad_query(name, kind_of_value<T>());
}

template <class T>
T request::query_as(std::string_view name) {
    const auto text = query(name);
    if (!text) bad_query(name, {});
    if (auto value = convert<T>(*text)) return *std::move(value);
    bad_query(name, kind_of_value<T>());
}

}  // namespace rondo
