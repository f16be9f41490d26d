// SPDX-License-Identifier: Apache-2.0
// Views: their kinds, their signatures, and how they are called.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <rondo/handler/error.hpp>
#include <rondo/web/request.hpp>
#include <rondo/web/response.hpp>
#include <rondo/web/routing/convert.hpp>

namespace rondo {

/// Where a view runs. Determined by its signature when it is added.
enum class view_kind : std::uint8_t {
    async,     ///< task<response>(request&, ...): on the event loop
    sync,      ///< response(request&, ...): on a thread of the blocking pool
    cpu,       ///< cpu(view): on a compute thread
    isolated,  ///< isolated(name, factory): in a compute process
};

[[nodiscard]] std::string_view to_string(view_kind) noexcept;

/// A view that runs on the compute threads. Made by cpu().
template <class View>
struct cpu_view {
    View view;
};

/// An object and one of its member functions as a view. The object must outlive the application. Made by bind().
template <class Object, class Member>
struct member_view {
    Object* object;
    Member member;

    template <class... Argument>
    auto operator()(request& req, Argument&&... arguments) const {
        return (object->*member)(req, std::forward<Argument>(arguments)...);
    }
};

/// A view that runs in compute processes. Made by isolated().
template <class Factory>
struct isolated_view {
    std::string name;
    Factory factory;

    using callable = std::remove_cvref_t<std::invoke_result_t<const Factory&>>;
};

/// Runs a sync view in compute processes that hold its state: `app.post("/predict", isolated("model", load_model))`.
/// The factory is called once per process, before it serves requests, and returns the view:
///
///     auto load_model() {
///         return [model = model::load("weights")](rondo::request& req) { return rondo::json(model.predict(req)); };
///     }
///
/// The processes of a name (--compute-workers name=N) serve all views of that name, each one request at a time. If one
/// crashes, exceeds its deadline (--compute-timeout) or its memory limit, only its current request fails, with 502 or
/// 504 (deadline). The process receives the request alone, not the objects that middleware stored in request::local().
/// Without an arbiter (--workers 0, test_client) the view runs on the compute threads of this process, also one request
/// at a time.
template <class Factory>
[[nodiscard]] isolated_view<Factory> isolated(std::string name, Factory factory) {
    static_assert(std::is_invocable_v<const Factory&>,
                  "isolated() takes a name and a function without parameters that returns the view");
    return {std::move(name), std::move(factory)};
}

/// Marks a sync view as CPU work: `app.post("/predict", rondo::cpu(predict))`.
template <class View>
[[nodiscard]] cpu_view<View> cpu(View view) {
    return {std::move(view)};
}

/// `bind(&object, &type::view)`
template <class Object, class Member>
    requires std::is_member_function_pointer_v<Member>
[[nodiscard]] member_view<Object, Member> bind(Object* object, Member member) {
    return {object, member};
}

namespace detail {

template <class... T>
struct parameter_list {
    static constexpr std::size_t size = sizeof...(T);
};

template <class Result, class... T>
struct view_signature {
    using result = Result;
    using parameters = parameter_list<T...>;
};

template <class T>
struct signature_of_function {
    static_assert(!std::same_as<T, T>, "a view takes `rondo::request&` first, then one parameter per path parameter");
};
template <class R, class... T>
struct signature_of_function<R(request&, T...)> : view_signature<R, T...> {};

template <class T>
struct signature_of_member;
template <class R, class C, class... T>
struct signature_of_member<R (C::*)(T...)> : signature_of_function<R(T...)> {
    static constexpr bool is_const = false;
};
template <class R, class C, class... T>
struct signature_of_member<R (C::*)(T...) noexcept> : signature_of_member<R (C::*)(T...)> {};
template <class R, class C, class... T>
struct signature_of_member<R (C::*)(T...) const> : signature_of_function<R(T...)> {
    static constexpr bool is_const = true;
};
template <class R, class C, class... T>
struct signature_of_member<R (C::*)(T...) const noexcept> : signature_of_member<R (C::*)(T...) const> {};

template <class View>
struct signature {
    static_assert(
        requires { &View::operator(); },
        "a view is a function, a lambda (without `auto` parameters), a function object or bind(&object, &type::view)");
    using type = signature_of_member<decltype(&View::operator())>;
    static_assert(type::is_const,
                  "a view serves several requests at once: its operator() must be const (no `mutable` lambda)");
};
template <class R, class... T>
struct signature<R (*)(T...)> {
    using type = signature_of_function<R(T...)>;
};
template <class R, class... T>
struct signature<R (*)(T...) noexcept> {
    using type = signature_of_function<R(T...)>;
};
template <class Object, class Member>
struct signature<member_view<Object, Member>> {
    using type = signature_of_member<Member>;
};
template <class View>
struct signature<cpu_view<View>> : signature<View> {};
template <class Factory>
struct signature<isolated_view<Factory>> : signature<typename isolated_view<Factory>::callable> {};

template <class View>
using signature_t = typename signature<View>::type;
template <class View>
using view_result = typename signature_t<View>::result;
template <class View>
using parameters_of = typename signature_t<View>::parameters;

template <class T>
struct task_result {
    using type = T;
    static constexpr bool is_task = false;
};
template <class T>
struct task_result<task<T>> {
    using type = T;
    static constexpr bool is_task = true;
};

template <class T>
concept response_like = std::same_as<T, response> || std::same_as<T, std::string> ||
                        std::same_as<T, std::string_view> || std::same_as<T, const char*>;

template <class View>
inline constexpr bool is_cpu = false;
template <class View>
inline constexpr bool is_cpu<cpu_view<View>> = true;

template <class View>
inline constexpr bool is_isolated = false;
template <class Factory>
inline constexpr bool is_isolated<isolated_view<Factory>> = true;

template <class View>
constexpr view_kind kind_of() {
    using result = view_result<View>;
    static_assert(
        response_like<typename task_result<result>::type>,
        "a view must return rondo::response or text (std::string, const char*), or a rondo::task of one of them");
    static_assert(!(is_cpu<View> && task_result<result>::is_task),
                  "cpu() takes a view that returns a response, not a task: a coroutine runs on the event loop");
    static_assert(!(is_isolated<View> && task_result<result>::is_task),
                  "the view of isolated() returns a response, not a task: it may block, as it has its own process");
    if (is_cpu<View>) return view_kind::cpu;
    if (is_isolated<View>) return view_kind::isolated;
    return task_result<result>::is_task ? view_kind::async : view_kind::sync;
}

template <class T>
constexpr bool check_view_parameter() {
    static_assert(!std::is_reference_v<T>,
                  "a view takes its path parameters by value: a reference would dangle after a co_await");
    static_assert(
        has_path_converter<T> || text_like<T> || integer<T> || std::floating_point<T>,
        "a view parameter must be an integer, double, std::string_view, std::string or a type with a path_converter");
    return true;
}

template <class T>
T convert_argument(std::string_view text) {
    if constexpr (text_like<T>) {
        return T(text);
    } else {
        auto value = convert<T>(text);
        if (!value) throw http_error(http::status::not_found);
        return *std::move(value);
    }
}

inline response into_response(response r) { return r; }
inline response into_response(std::string body) { return rondo::text(std::move(body)); }
inline response into_response(std::string_view body) { return rondo::text(body); }
inline response into_response(const char* body) { return rondo::text(body); }

template <class T>
task<response> into_response_async(task<T> t) {
    co_return into_response(co_await std::move(t));
}

template <class View>
const auto& unwrap_view(const View& view) noexcept {
    if constexpr (is_cpu<View>) return view.view;
    else return view;
}

template <class View, class... T, std::size_t... I>
auto call_view(const void* view, request& req, const std::string_view* arguments, parameter_list<T...>,
               std::index_sequence<I...>) {
    static_assert((check_view_parameter<T>() && ...));
    return unwrap_view(*static_cast<const View*>(view))(req, convert_argument<T>(arguments[I])...);
}

using async_call = task<response> (*)(const void* view, request&, const std::string_view* arguments);
using sync_call = response (*)(const void* view, request&, const std::string_view* arguments);

template <class View>
task<response> call_async(const void* view, request& req, const std::string_view* arguments) {
    using parameters = parameters_of<View>;
    auto t = call_view<View>(view, req, arguments, parameters{}, std::make_index_sequence<parameters::size>{});
    if constexpr (std::same_as<decltype(t), task<response>>) return t;
    else return into_response_async(std::move(t));
}

template <class View>
response call_sync(const void* view, request& req, const std::string_view* arguments) {
    using parameters = parameters_of<View>;
    return into_response(
        call_view<View>(view, req, arguments, parameters{}, std::make_index_sequence<parameters::size>{}));
}

/// A user's object with its type erased, at a stable address for the life of the application, so that a coroutine
/// lambda may use its captures.
using erased_object = std::unique_ptr<void, void (*)(void*) noexcept>;

template <class T>
erased_object make_erased(T value) {
    return erased_object(static_cast<void*>(new T(std::move(value))),
                         [](void* object) noexcept { delete static_cast<T*>(object); });
}

class compute_client;

/// The additional state of an isolated view.
struct isolated_state {
    std::string name;
    erased_object (*make_instance)(const void* view) = nullptr;  ///< calls the factory
    std::shared_ptr<compute_client> client;                      ///< to its processes; null: runs in this process
    std::mutex mutex;                                            ///< guards the instance
    erased_object instance{nullptr, [](void*) noexcept {}};      ///< the view that the factory returned in this process
};

/// A view with its type erased.
struct erased_view {
    erased_object view{nullptr, [](void*) noexcept {}};
    view_kind kind = view_kind::async;
    async_call async = nullptr;  ///< null if `sync` is set
    sync_call sync = nullptr;
    std::unique_ptr<isolated_state> isolated{};  ///< null for other kinds
};

template <class View>
erased_view erase_view(View view) {
    constexpr view_kind kind = kind_of<View>();
    if constexpr (kind == view_kind::isolated) {
        using callable = typename View::callable;
        auto part = std::make_unique<isolated_state>();
        part->name = view.name;
        part->make_instance = [](const void* object) {
            return make_erased<callable>(static_cast<const View*>(object)->factory());
        };
        return {make_erased(std::move(view)), kind, nullptr, &call_sync<callable>, std::move(part)};
    } else if constexpr (kind == view_kind::async)
        return {make_erased(std::move(view)), kind, &call_async<View>, nullptr};
    else return {make_erased(std::move(view)), kind, nullptr, &call_sync<View>};
}

using accepts_function = bool (*)(std::string_view text);

/// Returns the predicate of T's custom converter, null for built-in converters.
template <class T>
constexpr accepts_function accepts() noexcept {
    if constexpr (has_path_converter<T>)
        return [](std::string_view text) { return path_converter<T>::parse(text).has_value(); };
    else return nullptr;
}

}  // namespace detail
}  // namespace rondo
