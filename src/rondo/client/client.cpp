// SPDX-License-Identifier: Apache-2.0
#include <rondo/client/client.hpp>

#include <utility>

#include <fmt/format.h>

#include <rondo/client/call.hpp>
#include <rondo/client/middleware.hpp>
#include <rondo/client/pools.hpp>
#include <rondo/client/proxies.hpp>
#include <rondo/client/sync_client_loop.hpp>
#include <rondo/coro/blocking.hpp>
#include <rondo/loop/run_on.hpp>

namespace rondo {

client::client(client_options options)
    : pools_(std::make_shared<detail::client_pools>(std::move(options))),
      background_(std::make_unique<detail::client_background>()) {
    detail::check(pools_->options().proxies);
}

client::~client() {
    leave_parents();
    background_.reset();
    pools_->close();
}

void client::leave_parents() noexcept {
    if (background_->leave_parents()) pools_->forget();
}

const client_options& client::options() const noexcept { return pools_->options(); }

client::figures client::connections() const {
    detail::client_pool* pool = pools_->here_if_made();
    if (pool == nullptr) return {};
    return {pool->open(), pool->idle(), pool->waiting()};
}

// Passes a call through the middleware of its loop.
struct client::around final : client_next::link {
    around(client& c, detail::client_pool& p, bool reads_all) noexcept : from(c), pool(p), whole(reads_all) {}
    task<client_response> go(client_request request, std::size_t index) override {
        auto& layers = pool.middleware();
        if (index == layers.size()) return from.run_inner(std::move(request), nullptr, whole);
        return layers[index]->call(std::move(request), client_next(*this, index + 1));
    }
    client& from;
    detail::client_pool& pool;
    bool whole;
};

task<client_response> client::run(client_request request, bool whole) {
    if (!pools_->options().middleware.empty()) return run_around(std::move(request), whole);
    return run_inner(std::move(request), nullptr, whole);
}

task<client_response> client::run_around(client_request request, bool whole) {
    around layers(*this, pools_->here(), whole);
    co_return co_await layers.go(std::move(request), 0);
}

task<client_response> client::run_inner(client_request request, client_response_handler* handler, bool whole) {
    detail::client_call call(pools_->here(), request, handler);
    client_failure kind{};
    std::string text;
    try {
        co_return co_await call.run(whole);
    } catch (const client_error& e) {
        kind = e.kind();
        text = e.what();
    }
    throw client_error(kind, fmt::format("{}: {}", call.text(), text));
}

task<client_response> client::send(client_request request) { return run(std::move(request), true); }

task<client_response> client::open(client_request request) { return run(std::move(request), false); }

task<void> client::exchange(client_request request, client_response_handler& handler) {
    (void)co_await run_inner(std::move(request), &handler, false);
}

task<client_response> client::post(std::string url, std::string body, std::string_view type) {
    return send(client_request(http::method::post, std::move(url)).body(std::move(body), type));
}

task<client_response> client::put(std::string url, std::string body, std::string_view type) {
    return send(client_request(http::method::put, std::move(url)).body(std::move(body), type));
}

client_response client::send_sync(client_request request) {
    require_blocking_allowed("client.get_sync");
    leave_parents();
    return run_on_and_wait(background_->loop(), send(std::move(request)));
}

}  // namespace rondo
