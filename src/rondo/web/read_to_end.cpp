// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/read_to_end.hpp>

#include <rondo/loop/pool.hpp>

namespace rondo {

task<void> read_to_end(handler::body& from, spool& to) {
    if (const auto length = from.length()) to.reserve(*length);
    while (true) {
        const std::string_view bytes = co_await from.read();
        if (bytes.empty()) break;
        if (to.would_block(bytes.size())) co_await run_blocking([&to, bytes] { to.append(bytes); });
        else to.append(bytes);
    }
}

}  // namespace rondo
