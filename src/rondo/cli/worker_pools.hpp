// SPDX-License-Identifier: Apache-2.0
// The thread pools of a worker, depending on its worker class.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include <rondo/cli/settings/settings.hpp>
#include <rondo/handler/application.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/loop/thread_pool.hpp>
#include <rondo/server/server.hpp>
#include <rondo/server/threaded_application.hpp>

namespace rondo::cli {

/// The pools that run the requests of a worker and, in a threads or sync worker, its request threads. Create on the
/// loop thread, before the server; must outlive it.
class worker_pools {
public:
    worker_pools(event_loop& loop, handler::application& app, const server_settings& settings);
    ~worker_pools();
    worker_pools(const worker_pools&) = delete;
    worker_pools& operator=(const worker_pools&) = delete;

    /// The application that the server must serve.
    [[nodiscard]] handler::application& application() noexcept;
    /// Lets the server sample the stats of the pools.
    void attach_to(server::server& s);
    /// The threads that run all requests; null in an async worker, where requests start on the loop.
    [[nodiscard]] const thread_pool* request_threads() const noexcept {
        return thread_worker_ ? &thread_worker_->pool() : nullptr;
    }

    /// Number of requests and jobs that threads currently run.
    [[nodiscard]] std::size_t running() const noexcept;

private:
    event_loop& loop_;
    handler::application& app_;
    thread_pool blocking_;
    thread_pool compute_;
    std::optional<server::thread_worker> thread_worker_;
};

/// The threads of a worker for the startup message: "up to 32 for sync views, 2 for cpu views".
[[nodiscard]] std::string threads_text(const server_settings& settings);

}  // namespace rondo::cli
