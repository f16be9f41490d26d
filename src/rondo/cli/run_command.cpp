// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/run_command.hpp>

#include <exception>

#include <rondo/base/log.hpp>
#include <rondo/cli/apply_process_settings.hpp>
#include <rondo/cli/log_files.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/loop/thread_pool.hpp>
#include <rondo/web/app.hpp>

namespace rondo::cli {

namespace {

task<int> call_command(const detail::declared_command& command, command_arguments arguments) {
    if (command.async) co_return co_await command.async(command.object.get(), arguments);
    const auto run = [&command, arguments] { return command.sync(command.object.get(), arguments); };
    co_return co_await event_loop::current().blocking()->run(run);
}

task<int> run_with_hooks(app& application, const detail::declared_command& command, command_arguments arguments) {
    if (!command.options.has_lifespan()) co_return co_await call_command(command, arguments);
    co_await application.startup();
    int status = 0;
    std::exception_ptr failure;
    try {
        status = co_await call_command(command, arguments);
    } catch (...) {
        failure = std::current_exception();
    }
    co_await application.shutdown();
    if (failure) std::rethrow_exception(failure);
    co_return status;
}

}  // namespace

int run_command(app& application, const detail::declared_command& command, command_arguments arguments,
                const server_settings& settings) {
    application.check();
    apply_process_settings(settings);
    log::set_file(settings.error_log);
    create_log_file(settings.error_log, settings);
    event_loop loop({settings.backend});
    thread_pool blocking({.name = "blocking", .threads = settings.threads, .queue = settings.thread_queue, .nice = 0});
    cli::server_settings without_workers = settings;
    without_workers.workers = 0;
    thread_pool compute({.name = "compute",
                         .threads = compute_threads_per_worker(without_workers),
                         .queue = settings.compute_queue,
                         .nice = 0});
    loop.use_pools(&blocking, &compute);
    application.set_leader_check([](std::string_view) { return false; });  // periodic tasks run in the server only
    const int status = loop.run_until(run_with_hooks(application, command, arguments));
    log::flush();
    return status;
}

}  // namespace rondo::cli
