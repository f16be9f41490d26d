// SPDX-License-Identifier: Apache-2.0
// Lets the command line serve an application of Rondo.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <rondo/cli/served.hpp>

namespace rondo {
class app;
namespace detail {
struct declared_command;
}
}  // namespace rondo

namespace rondo::cli {

/// An application of Rondo, as the command line serves it.
class served_app final : public served {
public:
    /// `application` must outlive this.
    explicit served_app(rondo::app& application) noexcept : app_(application) {}

    [[nodiscard]] std::vector<setting_row> setting_rows() override;
    [[nodiscard]] setting_source default_values(std::span<const setting_row> rows) override;
    [[nodiscard]] std::vector<command_info> commands() const override;
    [[nodiscard]] bool takes_arguments(std::string_view command) const override;
    [[nodiscard]] int run_command(const command_line& line) override;
    void configure(server_settings& settings) override;
    [[nodiscard]] std::vector<served_route> routes() const override;

    void check(const server_settings& settings, std::vector<std::string>& errors) override;
    void prepare_to_serve(const server_settings& settings) override;
    [[nodiscard]] std::string summary() const override;
    [[nodiscard]] std::string views_text(const server_settings& settings) const override;

    void on_arbiter_start(bool reloaded) override;
    [[nodiscard]] std::vector<process::managed_listener> listen_for_jobs(const server_settings& settings,
                                                                         process::handover& inherited) override;
    [[nodiscard]] std::vector<process::group_options> compute_groups(const server_settings& settings) override;

    [[nodiscard]] handler::application& application() override;
    void set_access_log(access_log_sink* sink) override;
    void set_leader_check(std::function<bool(std::string_view name)> is_leader) override;
    void set_background_deadline(instant deadline) override;
    [[nodiscard]] task<void> stop_background() override;

private:
    [[nodiscard]] const detail::declared_command& find_command(std::string_view name) const;

    rondo::app& app_;
};

}  // namespace rondo::cli
