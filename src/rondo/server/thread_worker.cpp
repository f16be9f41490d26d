// SPDX-License-Identifier: Apache-2.0
#include <rondo/server/thread_worker.hpp>

#include <rondo/base/log.hpp>
#include <rondo/handler/error.hpp>
#include <rondo/server/thread_request.hpp>

namespace rondo::server {

namespace {

// The application has already returned, so it cannot handle this failure.
void log_unsent(const handler::request& from, const std::exception_ptr& why) {
    try {
        std::rethrow_exception(why);
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
    if (from.draining) threads_.follow(*from.draining);
    const thread_request::owner request = thread_request::make(inner_, threads_, from, to, body_in_memory_);
    std::exception_ptr why;
    try {
        if (from.body->ended()) request->without_body();
        else co_await request->receive_body();
        request->submit();
        co_await request->news();
    } catch (...) {
        why = std::current_exception();
    }
    if (why) co_return co_await inner_.refuse(from, to, why);
    while (!request->deliver_at_once()) {
        co_await request->deliver();
        if (request->over()) break;
        co_await request->news();
    }
    if (!request->failure()) co_return;
    if (!to.begun() && !request->left_application()) co_return co_await inner_.refuse(from, to, request->failure());
    if (!request->left_application()) log_unsent(from, request->failure());
    std::rethrow_exception(request->failure());
}

}  // namespace rondo::server
