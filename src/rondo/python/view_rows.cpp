// SPDX-License-Identifier: Apache-2.0
#include <rondo/python/view_rows.hpp>

#include <rondo/python/runtime.hpp>

namespace rondo::python {

namespace {
constexpr std::size_t max_patterns = 400;  // fewer than rows, which the views of C++ share
constexpr std::size_t max_routes = 4096;
}  // namespace

void view_rows::register_in(stats::worker_stats& s) { stats_ = &s; }

void view_rows::identify(PyObject* scope, handler::request& r) noexcept {
    if (stats_ == nullptr) return;
    try {
        const view* const found = scope == nullptr ? find_segment(r.path) : find_route(scope);
        if (found == nullptr) return;
        r.view_row = found->row;
        r.context->name = found->name;
    } catch (...) {
        PyErr_Clear();  // out of memory: the request is counted without a view
    }
}

const view_rows::view* view_rows::find_route(PyObject* scope) {
    PyObject* const route = PyDict_GetItemWithError(scope, runtime::get().name.route.get());
    if (route == nullptr || route == Py_None) return nullptr;
    if (const auto known = by_route_.find(route); known != by_route_.end()) return known->second;
    if (by_route_.size() >= max_routes) return nullptr;
    const object path = object::steal(PyObject_GetAttr(route, runtime::get().name.path.get()));
    if (!path || !PyUnicode_Check(path.get())) {
        PyErr_Clear();
        return nullptr;
    }
    const view* const found = add(std::string(view_of_text(path.get())));
    if (found != nullptr) by_route_.emplace(Py_NewRef(route), found);
    return found;
}

const view_rows::view* view_rows::find_segment(std::string_view path) {
    const std::string_view segment = path.substr(0, path.find('/', 1));
    if (const auto known = by_pattern_.find(segment); known != by_pattern_.end()) return &known->second;
    return add(std::string(segment));
}

const view_rows::view* view_rows::add(const std::string& pattern) {
    if (const auto known = by_pattern_.find(pattern); known != by_pattern_.end()) return &known->second;
    if (by_pattern_.size() >= max_patterns) return nullptr;
    const std::uint16_t row = stats_->view_row({.pattern = pattern, .methods = "any", .kind = "asgi"});
    return &by_pattern_.emplace(pattern, view{row, pattern}).first->second;
}

}  // namespace rondo::python
