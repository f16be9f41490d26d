// SPDX-License-Identifier: Apache-2.0
// The threads and sync workers: an application wrapper that serves each request on a thread of a pool.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>

#include <rondo/handler/application.hpp>
#include <rondo/loop/thread_pool.hpp>
#include <rondo/server/view_thread_pool.hpp>

namespace rondo::server {

struct thread_worker_options {
    std::size_t threads = 32;                 ///< concurrent requests
    std::size_t queue = 1024;                 ///< requests that may wait for a thread
    std::size_t body_in_memory = 256 * 1024;  ///< bytes; a larger request body is stored in a temporary file
    thread_pool* compute = nullptr;           ///< pool for cpu views; must outlive the worker
};

/// The threads worker: wraps an application and serves each request on a thread of its own, as in a server with a
/// thread per request. The event loop of the connections receives the whole body first and sends the response, so slow,
/// uploading or idle clients occupy no thread; only a streamed response occupies its thread until the client has
/// received most of it. Requests wait in a queue while no thread is free. When the queue is full, or a request would
/// wait past its deadline, refuse() of the application responds (pool_full: 503 with Retry-After). A request that is
/// cancelled while it waits is removed from the queue.
///
/// On its thread a request runs in a small event loop without a pool for blocking calls: coroutines work as on any
/// loop, and blocking calls (sync views, run_blocking) run directly on the thread.
///
/// All functions except threads() are called on the loop of the connections, as are startup(), shutdown(), body_limit()
/// and refuse() of the application. Must not be destroyed while a request is being served.
class thread_worker final : public handler::application {
public:
    /// `inner` must outlive this.
    thread_worker(handler::application& inner, const thread_worker_options& options);

    [[nodiscard]] task<void> startup() override { return inner_.startup(); }
    [[nodiscard]] task<void> shutdown() override { return inner_.shutdown(); }
    [[nodiscard]] task<void> serve(handler::request& from, handler::responder& to) override;
    [[nodiscard]] std::optional<std::uint64_t> body_limit(handler::request& from) override {
        return inner_.body_limit(from);
    }
    [[nodiscard]] task<void> refuse(handler::request& from, handler::responder& to, std::exception_ptr cause) override {
        return inner_.refuse(from, to, cause);
    }

    void on_refused(handler::request& from, http::status code, std::uint64_t body_bytes) noexcept override {
        inner_.on_refused(from, code, body_bytes);
    }

    void register_views(stats::worker_stats& stats) override { inner_.register_views(stats); }

    [[nodiscard]] const thread_pool& pool() const noexcept { return threads_.pool(); }

private:
    handler::application& inner_;
    std::size_t body_in_memory_;
    view_thread_pool threads_;
};

/// The sync worker: one request at a time.
[[nodiscard]] inline thread_worker_options sync_worker_options(thread_worker_options options = {}) noexcept {
    options.threads = 1;
    return options;
}

}  // namespace rondo::server
