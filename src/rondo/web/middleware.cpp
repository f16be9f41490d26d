// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/middleware.hpp>

#include <utility>

#include <rondo/web/run_on_pool.hpp>

namespace rondo::detail {

task<std::optional<response>> run_before(std::optional<response> (*f)(const void*, request&), const void* object,
                                         request& req) {
    return run_on_pool(req, pool_kind::blocking, [=, &req] { return f(object, req); });
}

task<response> run_after(response (*f)(const void*, request&, response), const void* object, request& req, response r) {
    return run_on_pool(req, pool_kind::blocking,
                       [=, &req, r = std::move(r)]() mutable { return f(object, req, std::move(r)); });
}

}  // namespace rondo::detail
