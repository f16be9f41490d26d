// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/middleware.hpp>

#include <rondo/handler/offload_timer.hpp>
#include <rondo/loop/pool.hpp>

namespace rondo::detail {

task<std::optional<response>> run_before(std::optional<response> (*f)(const void*, request&), const void* object,
                                         request& req) {
    thread_pool* const pool = event_loop::current().blocking();
    const auto here = [&] { return f(object, req); };
    if (pool == nullptr) co_return co_await run_on(nullptr, here);
    handler::thread_hop hop(req.received(), stats::place::pool_queue);
    const auto call = [&] {
        const handler::thread_hop::stay stay(hop, stats::place::pool_thread);
        return here();
    };
    co_return co_await pool->run(call);
}

task<response> run_after(response (*f)(const void*, request&, response), const void* object, request& req, response r) {
    thread_pool* const pool = event_loop::current().blocking();
    const auto here = [&] { return f(object, req, std::move(r)); };
    if (pool == nullptr) co_return co_await run_on(nullptr, here);
    handler::thread_hop hop(req.received(), stats::place::pool_queue);
    const auto call = [&] {
        const handler::thread_hop::stay stay(hop, stats::place::pool_thread);
        return here();
    };
    co_return co_await pool->run(call);
}

}  // namespace rondo::detail
