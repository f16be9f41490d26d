// SPDX-License-Identifier: Apache-2.0
// Finds the route of a request in a tree of path segments.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rondo/base/arena.hpp>
#include <rondo/http/method.hpp>
#include <rondo/web/app.hpp>
#include <rondo/web/routing/path.hpp>
#include <rondo/web/routing/view.hpp>

namespace rondo::detail {

inline constexpr std::size_t method_count = static_cast<std::size_t>(http::method::other) + 1;

/// A set of http::method, one bit each.
using method_set = std::uint16_t;
[[nodiscard]] constexpr method_set method_bit(http::method m) noexcept {
    return static_cast<method_set>(1u << static_cast<unsigned>(m));
}
/// The methods of a route added with any(): all except CONNECT and TRACE.
inline constexpr method_set any_method = static_cast<method_set>(
    ((1u << method_count) - 1) & ~method_bit(http::method::connect) & ~method_bit(http::method::trace));

/// Returns the names as "GET, HEAD", in the order of RFC 9110; `other` has no name.
[[nodiscard]] std::string method_names(method_set methods);

/// A route as it was added.
struct route_entry {
    std::string pattern;  ///< with the prefix of the mounted application
    std::vector<std::string> parameters;
    std::vector<accepts_function> accepts;  ///< one per parameter
    method_set methods = 0;
    bool any = false;
    erased_view view;
    std::source_location location;
    route_options options;
    const app_state* owner = nullptr;         ///< the application it belongs to
    std::atomic<std::uint16_t> stats_row{0};  ///< index in the server's stats; the same for all servers of a process
};

/// The result of routing a request.
struct match {
    const route_entry* route = nullptr;
    const std::string_view* arguments = nullptr;
    method_set allowed = 0;  ///< if there is no route: the methods the path has routes for; 0: no such path
};

/// The routes as a tree of path segments. add() is not thread-safe; afterwards find() is.
class router {
public:
    router();
    router(router&&) noexcept;
    router& operator=(router&&) noexcept;
    ~router();

    /// Throws std::invalid_argument naming both routes if an equivalent route exists.
    void add(const route_entry& route);
    /// Finds the route for `path`, given as received, with its leading '/'. Decoded text and the arguments are stored
    /// in `memory`. Throws http_error 400 for an invalid escape, and if a `path` parameter would match a path that a
    /// server behind this one may interpret as another route ("//admin", "/admin%2Fx"). `str` and `path` never match
    /// dot segments.
    [[nodiscard]] match find(http::method method, std::string_view path, arena& memory) const;

private:
    struct node;
    struct search;

    void require_unambiguous(http::method method, std::string_view path, const route_entry& found) const;

    std::unique_ptr<node> root_;
    std::size_t depth_ = 0;  // segments of the deepest route
};

}  // namespace rondo::detail
