// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/served.hpp>

#include <stdexcept>
#include <utility>

#include <fmt/format.h>

#include <rondo/cli/settings/load_settings.hpp>

namespace rondo::cli {

std::string_view served::description() const { return "An application served by Rondo. The default command is serve."; }
std::string_view served::argument() const { return {}; }
std::string served::missing_argument_text() const { return fmt::format("missing {}", argument()); }
void served::set_argument(const std::string&) {}
std::vector<setting_row> served::setting_rows() { return {}; }
setting_source served::default_values(std::span<const setting_row>) { return {}; }
std::vector<command_info> served::commands() const { return {}; }
bool served::takes_arguments(std::string_view) const { return false; }
int served::run_command(const command_line& line) {
    throw std::invalid_argument(fmt::format("unknown command '{}'", line.command));
}
void served::configure(server_settings&) {}
std::vector<served_route> served::routes() const { return {}; }

void served::check(const server_settings&, std::vector<std::string>&) {}
void served::prepare_to_serve(const server_settings&) {}

void served::on_arbiter_start(bool) {}
std::vector<process::managed_listener> served::listen_for_jobs(const server_settings&, process::handover&) {
    return {};
}
std::vector<process::group_options> served::compute_groups(const server_settings&) { return {}; }
process::fork_hooks* served::fork_hooks() { return nullptr; }

int served::run(event_loop& loop, task<int> lifecycle) { return loop.run_until(std::move(lifecycle)); }
void served::set_access_log(access_log_sink*) {}
// NOLINTNEXTLINE(performance-unnecessary-value-param): overriders move it
void served::set_leader_check(std::function<bool(std::string_view)>) {}
void served::on_server_start(server::server&) {}
void served::set_listening_sockets(std::span<const int>) {}
void served::on_server_end() {}
void served::on_drain(instant) {}
void served::set_background_deadline(instant) {}
task<void> served::stop_background() { co_return; }
std::size_t served::running() const noexcept { return 0; }
void served::sample(stats::worker_stats&) {}
std::string served::loop_stack() { return {}; }
std::string served::stacks() { return {}; }
void served::end_process(instant) noexcept {}

}  // namespace rondo::cli
