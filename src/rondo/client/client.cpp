// SPDX-License-Identifier: Apache-2.0
#include <rondo/client/client.hpp>

#include <exception>
#include <utility>

#include <fmt/format.h>

#include <rondo/client/background.hpp>
#include <rondo/client/call.hpp>
#include <rondo/client/per_loop.hpp>
#include <rondo/coro/blocking.hpp>

namespace rondo {

client::client(client_options options)
    : pools_(std::make_shared<detail::client_pools>(std::move(options))),
      background_(std::make_unique<detail::client_background>()) {}

client::~client() {
    background_.reset();
    pools_->close();
}

const client_options& client::options() const noexcept { return pools_->options(); }

client::figures client::connections() const {
    detail::client_pool* pool = pools_->here_if_made();
    if (pool == nullptr) return {};
    return {pool->open(), pool->idle(), pool->waiting()};
}

task<client_response> client::run(client_request request, client_response_handler* then, bool whole) {
    detail::client_call call(pools_->here(), std::move(request), then);
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

task<client_response> client::send(client_request request) { return run(std::move(request), nullptr, true); }

task<client_response> client::open(client_request request) { return run(std::move(request), nullptr, false); }

task<void> client::exchange(client_request request, client_response_handler& then) {
    (void)co_await run(std::move(request), &then, false);
}

task<client_response> client::post(std::string url, std::string body, std::string_view type) {
    return send(client_request(http::method::post, std::move(url)).body(std::move(body), type));
}

task<client_response> client::put(std::string url, std::string body, std::string_view type) {
    return send(client_request(http::method::put, std::move(url)).body(std::move(body), type));
}

client_response client::send_sync(client_request request) {
    require_blocking_allowed("client.get_sync");
    struct job {
        client* from;
        client_request request;
        client_response response;
        std::exception_ptr failure;

        static task<void> run(void* self) {
            auto& j = *static_cast<job*>(self);
            try {
                j.response = co_await j.from->send(std::move(j.request));
            } catch (...) {
                j.failure = std::current_exception();
            }
        }
    };
    job j{this, std::move(request), {}, {}};
    background_->run(&job::run, &j);
    if (j.failure) std::rethrow_exception(j.failure);
    return std::move(j.response);
}

}  // namespace rondo
