// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/middleware.hpp>

#include <rondo/loop/pool.hpp>

namespace rondo::detail {

task<std::optional<response>> run_before(std::optional<response> (*f)(const void*, request&), const void* object,
                                         request& req) {
    const auto call = [&] { return f(object, req); };
    thread_pool* const pool = event_loop::current().blocking();
    if (pool == nullptr) co_return call();
    co_return co_await pool->run(call);
}

task<response> run_after(response (*f)(const void*, request&, response), const void* object, request& req, response r) {
    const auto call = [&] { return f(object, req, std::move(r)); };
    thread_pool* const pool = event_loop::current().blocking();
    if (pool == nullptr) co_return call();
    co_return co_await pool->run(call);
}

}  // namespace rondo::detail
