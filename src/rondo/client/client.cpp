// SPDX-License-Identifier: Apache-2.0
#include <rondo/client/client.hpp>

#include <utility>

#include <fmt/format.h>

#include <rondo/client/call.hpp>
#include <rondo/client/middleware.hpp>
#include <rondo/client/pools.hpp>
#include <rondo/client/proxies.hpp>
#include <rondo/client/sync_client_loop.hpp>
#include <rondo/coro/blocking_guard.hpp>
#include <rondo/loop/run_on.hpp>

namespace rondo {

client::client(client_options options)
    : pools_(std::make_shared<detail::client_pools>(std::move(options))),
      sync_loop_(std::make_unique<detail::sync_client_loop>()) {
    detail::validate_proxies(pools_->options().proxies);
}

client::~client() {
    reset_after_fork();
    sync_loop_.reset();
    pools_->close();
}

void client::reset_after_fork() noexcept {
    if (sync_loop_->reset_after_fork()) pools_->reset_after_fork();
}

const client_options& client::options() const noexcept { return pools_->options(); }

client::connection_stats client::connections() const {
    detail::client_pool* pool = pools_->current_or_null();
    if (pool == nullptr) return {};
    return {pool->open(), pool->idle(), pool->waiting()};
}

// Passes a call through the middleware of its loop.
struct client::middleware_chain final : client_next::middleware_handler {
    middleware_chain(client& c, detail::client_pool& p, bool reads_all) noexcept
        : owner(c), pool(p), read_all(reads_all) {}
    task<client_response> call(client_request request, std::size_t index) override {
        auto& layers = pool.middleware();
        if (index == layers.size()) return owner.run_call(std::move(request), nullptr, read_all);
        return layers[index]->call(std::move(request), client_next(*this, index + 1));
    }
    client& owner;
    detail::client_pool& pool;
    bool read_all;
};

task<client_response> client::run(client_request request, bool read_all) {
    if (!pools_->options().middleware.empty()) return run_through_middleware(std::move(request), read_all);
    return run_call(std::move(request), nullptr, read_all);
}

task<client_response> client::run_through_middleware(client_request request, bool read_all) {
    middleware_chain layers(*this, pools_->current(), read_all);
    co_return co_await layers.call(std::move(request), 0);
}

task<client_response> client::run_call(client_request request, client_response_handler* handler, bool read_all) {
    detail::client_call call(pools_->current(), request, handler);
    client_failure kind{};
    std::string text;
    try {
        co_return co_await call.run(read_all);
    } catch (const client_error& e) {
        kind = e.kind();
        text = e.what();
    }
    throw client_error(kind, fmt::format("{}: {}", call.text(), text));
}

task<client_response> client::send(client_request request) { return run(std::move(request), true); }

task<client_response> client::open(client_request request) { return run(std::move(request), false); }

task<void> client::exchange(client_request request, client_response_handler& handler) {
    (void)co_await run_call(std::move(request), &handler, false);
}

task<client_response> client::post(std::string url, std::string body, std::string_view type) {
    return send(client_request(http::method::post, std::move(url)).body(std::move(body), type));
}

task<client_response> client::put(std::string url, std::string body, std::string_view type) {
    return send(client_request(http::method::put, std::move(url)).body(std::move(body), type));
}

client_response client::send_sync(client_request request) {
    require_blocking_allowed("client::send_sync");
    reset_after_fork();
    return run_on_and_wait(sync_loop_->loop(), send(std::move(request)));
}

}  // namespace rondo
