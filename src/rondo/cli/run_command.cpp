// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/run_command.hpp>

#include <string_view>
#include <utility>

#include <rondo/base/log.hpp>
#include <rondo/cli/apply_process_settings.hpp>
#include <rondo/cli/log_files.hpp>
#include <rondo/cli/served.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/loop/thread_pool.hpp>

namespace rondo::cli {

int run_command(served& application, const server_settings& settings, task<int> command) {
    apply_process_settings(settings);
    log::set_file(settings.error_log);
    create_log_file(settings.error_log, settings);
    event_loop loop({settings.backend});
    thread_pool blocking({.name = "blocking", .threads = settings.threads, .queue = settings.thread_queue, .nice = 0});
    server_settings without_workers = settings;
    without_workers.workers = 0;
    thread_pool compute({.name = "compute",
                         .threads = compute_threads_per_worker(without_workers),
                         .queue = settings.compute_queue,
                         .nice = 0});
    loop.use_pools(&blocking, &compute);
    application.set_leader_check([](std::string_view) { return false; });  // periodic tasks run in the server only
    const int status = application.run(loop, std::move(command));
    log::flush();
    return status;
}

}  // namespace rondo::cli
