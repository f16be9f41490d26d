// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include <rondo/cli/settings/settings.hpp>
#include <rondo/handler/application.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/loop/pool.hpp>
#include <rondo/server/server.hpp>
#include <rondo/server/thread_worker.hpp>

namespace rondo::cli {

/// Where the requests of a worker run: its pools and, in a threads or sync worker, its threads. Made on the loop's
/// thread, before the server; outlives it.
class worker_kind {
public:
    worker_kind(event_loop& loop, handler::application& app, const settings& chosen);
    ~worker_kind();
    worker_kind(const worker_kind&) = delete;
    worker_kind& operator=(const worker_kind&) = delete;

    /// What the server serves.
    [[nodiscard]] handler::application& application() noexcept;
    void watched_by(server::server& s);
    /// The threads that all requests run on; null where they begin on the loop.
    [[nodiscard]] const thread_pool* views() const noexcept { return threads_ ? &threads_->threads() : nullptr; }

    /// Requests and jobs that threads are at.
    [[nodiscard]] std::size_t running() const noexcept;

private:
    event_loop& loop_;
    handler::application& app_;
    thread_pool blocking_;
    thread_pool compute_;
    std::optional<server::thread_worker> threads_;
};

/// "up to 32 for sync views, 2 for cpu views": what the log says of the threads of a worker.
[[nodiscard]] std::string threads_text(const settings& chosen);

}  // namespace rondo::cli
