// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/worker_pools.hpp>

#include <fmt/format.h>

namespace rondo::cli {

namespace {

constexpr int compute_nice = 10;

// In a threads or sync worker only the server itself uses the blocking pool, for files that it receives and sends.
constexpr std::size_t file_threads = 4;

pool_options blocking_options(const server_settings& settings) {
    const bool for_views = settings.kind == worker_class::async;
    return {.name = "blocking",
            .threads = for_views ? settings.threads : file_threads,
            .queue = settings.thread_queue,
            .nice = 0};
}

pool_options compute_options(const server_settings& settings) {
    return {.name = "compute",
            .threads = compute_threads_per_worker(settings),
            .queue = settings.compute_queue,
            .nice = compute_nice};
}

}  // namespace

worker_pools::worker_pools(event_loop& loop, handler::application& app, const server_settings& settings)
    : loop_(loop), app_(app), blocking_(blocking_options(settings)), compute_(compute_options(settings)) {
    loop_.use_pools(&blocking_, &compute_);
    if (settings.kind == worker_class::async) return;
    server::thread_worker_options options{
        .threads = settings.threads, .queue = settings.thread_queue, .compute = &compute_};
    if (settings.kind == worker_class::sync) options = server::sync_worker_options(options);
    thread_worker_.emplace(app, options);
}

worker_pools::~worker_pools() { loop_.use_pools(nullptr, nullptr); }

handler::application& worker_pools::application() noexcept {
    if (thread_worker_) return *thread_worker_;
    return app_;
}

void worker_pools::attach_to(server::server& s) {
    s.watch_pools(thread_worker_ ? thread_worker_->pool() : blocking_, compute_);
}

std::size_t worker_pools::running() const noexcept {
    return blocking_.running() + compute_.running() + (thread_worker_ ? thread_worker_->pool().running() : 0);
}

std::string threads_text(const server_settings& settings) {
    const std::string compute_text = fmt::format("{} for cpu views", compute_threads_per_worker(settings));
    switch (settings.kind) {
        case worker_class::async: return fmt::format("up to {} for sync views, {}", settings.threads, compute_text);
        case worker_class::threads:
            return fmt::format("up to {} for one request each, {}", settings.threads, compute_text);
        case worker_class::sync: return "1 for one request at a time, " + compute_text;
    }
    return {};
}

}  // namespace rondo::cli
