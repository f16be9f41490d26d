// SPDX-License-Identifier: Apache-2.0
// Middleware: the shapes it may have, and `next`, which calls the rest of the chain.
#pragma once

#include <concepts>
#include <cstddef>
#include <optional>
#include <type_traits>
#include <utility>

#include <rondo/web/request.hpp>
#include <rondo/web/response.hpp>
#include <rondo/web/routing/view.hpp>

namespace rondo {

class next;

namespace detail {

struct layer;
class middleware_chain;
task<response> call_next(const middleware_chain& chain, std::size_t index, request& req);

}  // namespace detail

/// The rest of the chain: further middleware, then the view. Small; pass it by value.
/// `response r = co_await next(req);` returns a response even if the view failed (see app::on_error); only `cancelled`
/// propagates. May be called once, several times (to retry), or not at all.
class next {
public:
    next(const detail::middleware_chain& chain, std::size_t index) noexcept : chain_(&chain), index_(index) {}
    [[nodiscard]] task<response> operator()(request& req) const { return detail::call_next(*chain_, index_, req); }

private:
    const detail::middleware_chain* chain_;
    std::size_t index_;
};

namespace detail {

/// A middleware with its type erased.
struct layer {
    erased_object object;
    task<response> (*call)(const void* object, request& req, rondo::next next);
};

/// Runs `f(object, req)` on the blocking pool, or on the loop if it has no pool.
task<std::optional<response>> run_before(std::optional<response> (*f)(const void*, request&), const void* object,
                                         request& req);
task<response> run_after(response (*f)(const void*, request&, response), const void* object, request& req, response r);

/// (request&, next) -> task<response>: on the loop, around the rest of the chain.
template <class M>
concept async_middleware = std::is_invocable_r_v<task<response>, const M&, request&, next>;
/// (request&) -> std::optional<response>: on the blocking pool before the view; a response skips the rest of the chain.
template <class M>
concept sync_before = std::is_invocable_r_v<std::optional<response>, const M&, request&> && !async_middleware<M>;
/// (request&, response) -> response: on the blocking pool after the view.
template <class M>
concept sync_after = std::is_invocable_r_v<response, const M&, request&, response> && !async_middleware<M>;

template <class M>
const M& downcast(const void* object) noexcept {
    return *static_cast<const M*>(object);
}

template <class M>
task<response> call_async_middleware(const void* object, request& req, next n) {
    return downcast<M>(object)(req, n);
}

template <class M>
task<response> call_sync_before(const void* object, request& req, next n) {
    constexpr auto f = [](const void* o, request& r) -> std::optional<response> { return downcast<M>(o)(r); };
    if (auto early = co_await run_before(f, object, req)) co_return std::move(*early);
    co_return co_await n(req);
}

template <class M>
task<response> call_sync_after(const void* object, request& req, next n) {
    constexpr auto f = [](const void* o, request& r, response view_response) -> response {
        return downcast<M>(o)(r, std::move(view_response));
    };
    response from_view = co_await n(req);
    co_return co_await run_after(f, object, req, std::move(from_view));
}

template <class M>
layer make_layer(M middleware) {
    static_assert(
        async_middleware<M> || sync_before<M> || sync_after<M>,
        "a middleware is task<response>(request&, next), or, on the blocking pool, std::optional<response>(request&) "
        "before the view or response(request&, response) after it");
    if constexpr (async_middleware<M>) return {make_erased(std::move(middleware)), &call_async_middleware<M>};
    else if constexpr (sync_before<M>) return {make_erased(std::move(middleware)), &call_sync_before<M>};
    else return {make_erased(std::move(middleware)), &call_sync_after<M>};
}

}  // namespace detail
}  // namespace rondo
