// SPDX-License-Identifier: Apache-2.0
// The rows of Python views in the statistics of the worker, by route.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include <rondo/handler/request.hpp>
#include <rondo/python/python_api.hpp>
#include <rondo/stats/worker_stats.hpp>

namespace rondo::python {

/// Finds the view of a request: the pattern of the route where the framework puts it into the scope (FastAPI), else the
/// first segment of the path. The number of views is limited; further ones have no row of their own. With the GIL.
class view_rows {
public:
    view_rows() = default;
    view_rows(const view_rows&) = delete;
    view_rows& operator=(const view_rows&) = delete;

    /// Views that are found later are counted there.
    void register_in(stats::worker_stats& s);
    /// Sets view_row and the name of the context. `scope` is null before the first step, when the route is not known
    /// yet. Never throws.
    void identify(PyObject* scope, handler::request& r) noexcept;

private:
    struct view {
        std::uint16_t row;
        std::string name;
    };
    struct text_hash : std::hash<std::string_view> {
        using is_transparent = void;
    };

    [[nodiscard]] const view* find_route(PyObject* scope);
    [[nodiscard]] const view* find_segment(std::string_view path);
    [[nodiscard]] const view* add(const std::string& pattern);

    stats::worker_stats* stats_ = nullptr;
    std::unordered_map<std::string, view, text_hash, std::equal_to<>> by_pattern_;
    std::unordered_map<PyObject*, const view*> by_route_;  // owns a reference of each, until the process ends
};

}  // namespace rondo::python
