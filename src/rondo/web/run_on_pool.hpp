// SPDX-License-Identifier: Apache-2.0
// Runs a function for a request on the blocking or compute pool and records the time it waits and runs there.
#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

#include <rondo/handler/offload_timer.hpp>
#include <rondo/loop/thread_pool.hpp>
#include <rondo/web/request.hpp>

namespace rondo::detail {

enum class pool_kind : std::uint8_t { blocking, compute };

/// Runs `call` on a thread of the current loop's pool of that kind, or on the loop itself if it has none, and returns
/// the result. Rethrows exceptions of `call`; throws pool_full.
template <class Call>
task<std::invoke_result_t<Call&>> run_on_pool(request& req, pool_kind kind, Call call) {
    const bool is_compute = kind == pool_kind::compute;
    event_loop& loop = event_loop::current();
    thread_pool* const pool = is_compute ? loop.compute() : loop.blocking();
    if (pool == nullptr) co_return co_await run_on(nullptr, [&call] { return call(); });
    handler::offload_timer timer(req.server_request(),
                                 is_compute ? stats::request_state::compute_queue : stats::request_state::pool_queue);
    const auto timed = [&call, &timer, is_compute] {
        const handler::offload_timer::scope running(
            timer, is_compute ? stats::request_state::compute_thread : stats::request_state::pool_thread);
        return call();
    };
    co_return co_await pool->run(timed);
}

}  // namespace rondo::detail
