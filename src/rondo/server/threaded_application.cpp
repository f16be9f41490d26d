// SPDX-License-Identifier: Apache-2.0
#include <rondo/server/threaded_application.hpp>

#include <rondo/base/log.hpp>
#include <rondo/handler/error.hpp>
#include <rondo/server/thread_request.hpp>

namespace rondo::server {

namespace {

// The application has already returned, so it cannot handle this failure.
void log_unsent(const handler::request& from, const std::exception_ptr& cause) {
    try {
        std::rethrow_exception(cause);
    } catch (const response_error& e) {
        log::error(std::string(from.method_text) + ' ' + std::string(from.target) + ": " + e.what());
    } catch (...) {
        // The client disconnected: not worth logging.
    }
}

}  // namespace

thread_worker::thread_worker(handler::application& inner, const thread_worker_options& options)
    : inner_(inner),
      body_in_memory_(options.body_in_memory),
      threads_({.name = "view", .threads = options.threads, .queue = options.queue}, options.compute) {}

task<void> thread_worker::serve(handler::request& from, handler::responder& to) {
    if (from.draining) threads_.watch_drain(*from.draining);
    const thread_request::pointer request = thread_request::make(inner_, threads_, from, to, body_in_memory_);
    std::exception_ptr cause;
    try {
        if (from.body->is_at_end()) request->set_no_body();
        else co_await request->receive_body();
        request->submit();
        co_await request->next_update();
    } catch (...) {
        cause = std::current_exception();
    }
    if (cause) co_return co_await inner_.refuse(from, to, cause);
    while (!request->try_deliver_at_once()) {
        co_await request->deliver();
        if (request->is_finished()) break;
        co_await request->next_update();
    }
    if (!request->failure()) co_return;
    if (!to.has_started() && !request->application_threw())
        co_return co_await inner_.refuse(from, to, request->failure());
    if (!request->application_threw()) log_unsent(from, request->failure());
    std::rethrow_exception(request->failure());
}

}  // namespace rondo::server
