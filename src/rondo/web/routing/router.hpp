// SPDX-License-Identifier: Apache-2.0
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
[[nodiscard]] constexpr method_set bit(http::method m) noexcept {
    return static_cast<method_set>(1u << static_cast<unsigned>(m));
}
/// What any() takes: everything but CONNECT and TRACE.
inline constexpr method_set any_method =
    static_cast<method_set>(((1u << method_count) - 1) & ~bit(http::method::connect) & ~bit(http::method::trace));

/// "GET, HEAD", in the order of RFC 9110; `other` has no name.
[[nodiscard]] std::string names_of(method_set methods);

/// A route as it was registered and, after router::add, as it is served.
struct route_entry {
    std::string pattern;  ///< with the prefix of the mounted application
    std::vector<std::string> parameters;
    std::vector<accepts_function> accepts;  ///< one for each parameter
    method_set methods = 0;
    bool any = false;
    view_box view;
    std::source_location where;
    route_options options;
    const app_state* owner = nullptr;   ///< the application it belongs to
    std::atomic<std::uint16_t> row{0};  ///< in the statistics of the server; all servers of a process give the same
};

/// Where a request goes.
struct match {
    const route_entry* route = nullptr;
    const std::string_view* arguments = nullptr;
    method_set allowed = 0;  ///< when there is no route: the methods the path has; none: no such path
};

/// The routes as a tree of path segments. Filled by one thread; find() may then be called by many.
class router {
public:
    router();
    router(router&&) noexcept;
    router& operator=(router&&) noexcept;
    ~router();

    /// Throws std::invalid_argument with a sentence naming both when a route is there already.
    void add(const route_entry& route);
    /// `path` as received, from its '/'. What has to be decoded, and the arguments, go into `memory`. Throws http_error
    /// 400 when an escape stands for no character, and when a `path` parameter would take what a server behind this one
    /// may read as the path of another route ("//admin", "/admin%2Fx"). Dot segments are no value of `str` and `path`.
    [[nodiscard]] match find(http::method method, std::string_view path, arena& memory) const;

private:
    struct node;
    struct search;

    void require_one_reading(http::method method, std::string_view path, const route_entry& found) const;

    std::unique_ptr<node> root_;
    std::size_t depth_ = 0;  // of the deepest route, in segments
};

}  // namespace rondo::detail
