// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/run_command.hpp>

#include <exception>

#include <rondo/base/log.hpp>
#include <rondo/cli/log_files.hpp>
#include <rondo/cli/process_settings.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/loop/pool.hpp>
#include <rondo/web/app.hpp>

namespace rondo::cli {

namespace {

task<int> call(const detail::declared_command& command, command_arguments words) {
    if (command.async) co_return co_await command.async(command.object.get(), words);
    const auto run = [&command, words] { return command.sync(command.object.get(), words); };
    co_return co_await event_loop::current().blocking()->run(run);
}

task<int> between_start_and_end(app& application, const detail::declared_command& command, command_arguments words) {
    if (!command.options.starts()) co_return co_await call(command, words);
    co_await application.startup();
    int status = 0;
    std::exception_ptr failure;
    try {
        status = co_await call(command, words);
    } catch (...) {
        failure = std::current_exception();
    }
    co_await application.shutdown();
    if (failure) std::rethrow_exception(failure);
    co_return status;
}

}  // namespace

int run_command(app& application, const detail::declared_command& command, command_arguments words,
                const settings& chosen) {
    application.check();
    settle_in(chosen);
    log::to(chosen.error_log);
    make_log_file(chosen.error_log, chosen);
    event_loop loop({chosen.backend});
    thread_pool blocking({.name = "blocking", .threads = chosen.threads, .queue = chosen.thread_queue, .nice = 0});
    settings alone = chosen;
    alone.workers = 0;
    thread_pool compute(
        {.name = "compute", .threads = compute_threads_of(alone), .queue = chosen.compute_queue, .nice = 0});
    loop.use_pools(&blocking, &compute);
    application.elect_with([](std::string_view) { return false; });  // periodic tasks are the server's
    const int status = loop.run_until(between_start_and_end(application, command, words));
    log::flush();
    return status;
}

}  // namespace rondo::cli
