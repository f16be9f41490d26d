// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>

#include <rondo/handler/application.hpp>
#include <rondo/loop/pool.hpp>
#include <rondo/server/view_thread_pool.hpp>

namespace rondo::server {

struct thread_worker_options {
    std::size_t threads = 32;                 ///< requests that run at once
    std::size_t queue = 1024;                 ///< requests that may wait for a thread
    std::size_t body_in_memory = 256 * 1024;  ///< bytes of a request's body; a larger one is in a temporary file
    thread_pool* compute = nullptr;           ///< where cpu views run; must outlive the worker
};

/// The threads worker: an application around another one that serves each request on a thread of its own, as a server
/// with a thread per request does. The loop of the connections receives the whole body first and sends the response, so
/// a thread is not held by a client that is slow, uploads or idles; only a body that is made while it is sent (a
/// stream) holds its thread until the client has taken most of it. A request for which no thread is free waits in a
/// queue; when that is full, or the wait would pass the deadline, refuse() of the application answers (pool_full: 503
/// with Retry-After); a request that is cancelled while it waits leaves the queue.
///
/// On its thread a request runs in a small event loop, which has no pool for what blocks: coroutines work there as on
/// any loop, and what may block (sync views, run_blocking) is called right there.
///
/// Everything but threads() is called on the loop of the connections. startup(), shutdown(), body_limit() and refuse()
/// of the application are called there too. It must not be destroyed while a request is served.
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
    [[nodiscard]] task<void> refuse(handler::request& from, handler::responder& to, std::exception_ptr why) override {
        return inner_.refuse(from, to, why);
    }

    void refused(handler::request& from, http::status code, std::uint64_t body_bytes) noexcept override {
        inner_.refused(from, code, body_bytes);
    }

    void count_in(stats::statistics& figures) override { inner_.count_in(figures); }

    [[nodiscard]] const thread_pool& threads() const noexcept { return threads_.pool(); }

private:
    handler::application& inner_;
    std::size_t body_in_memory_;
    view_threads threads_;
};

/// The sync worker: one request at a time.
[[nodiscard]] inline thread_worker_options one_at_a_time(thread_worker_options options = {}) noexcept {
    options.threads = 1;
    return options;
}

}  // namespace rondo::server
