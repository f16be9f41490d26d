// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/read_to_end.hpp>

#include <exception>

#include <rondo/handler/error.hpp>
#include <rondo/loop/coalescing_buffer.hpp>
#include <rondo/loop/thread_pool.hpp>

namespace rondo {

task<void> read_to_end(handler::body& from, spool& to) {
    if (const auto length = from.length()) to.reserve(*length);
    pool_batch batch;
    const auto write = [&to, &batch] { to.append(batch.bytes()); };
    std::exception_ptr failure;
    try {
        while (true) {
            const std::string_view bytes = co_await from.read();
            if (bytes.empty()) break;
            if (batch.empty() && !to.would_block(bytes.size())) {
                to.append(bytes);
            } else if (batch.add(bytes)) {
                co_await run_blocking(write);
                batch.clear();
            }
        }
    } catch (const http_error&) {
        failure = std::current_exception();  // keep what was read: the caller may raise the limit and read on
    }
    if (!batch.empty()) co_await run_blocking(write);
    if (failure) std::rethrow_exception(failure);
}

}  // namespace rondo
