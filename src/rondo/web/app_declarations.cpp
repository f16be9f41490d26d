// SPDX-License-Identifier: Apache-2.0
// Implements the part of app that declares settings, defaults and commands for the command line.
#include <algorithm>
#include <stdexcept>

#include <rondo/web/app_state.hpp>

namespace rondo {
namespace {

bool is_valid_name(std::string_view name) {
    const auto is_allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
    return !name.empty() && std::ranges::all_of(name, is_allowed) && name.front() >= 'a' && name.back() != '-';
}

void require_valid_name(std::string_view name, std::string_view kind) {
    if (is_valid_name(name)) return;
    throw std::invalid_argument("invalid " + std::string(kind) + " name '" + std::string(name) +
                                "': use lower-case letters, digits and '-', as in 'upstream-url'");
}

template <class F>
void for_each_state(const detail::app_state& app, F f) {
    f(app);
    for (const auto& sub : app.mounted) for_each_state(*sub, f);
}

void apply_to_all(detail::app_state& app, const app_settings& values) {
    app.framework_settings = values;
    for (const auto& sub : app.mounted) apply_to_all(*sub, values);
}

}  // namespace

void app::declare_setting(std::shared_ptr<detail::declared_setting> setting, std::string name, std::string type,
                          std::string help, const std::source_location& location) {
    state_->require_not_running("declare settings");
    require_valid_name(name, "setting");
    setting->name = std::move(name);
    setting->type = std::move(type);
    setting->help = std::move(help);
    setting->location = location;
    state_->declared_settings.push_back(std::move(setting));
}

void app::set_default(std::string name, std::string value, std::source_location location) {
    state_->require_not_running("set defaults");
    state_->defaults.push_back(
        std::make_unique<detail::application_default>(std::move(name), std::move(value), location));
}

command_options& app::add_command(detail::declared_command command) {
    state_->require_not_running("declare commands");
    require_valid_name(command.name, "command");
    state_->declared_commands.push_back(std::make_unique<detail::declared_command>(std::move(command)));
    return state_->declared_commands.back()->options;
}

const app_settings& app::settings() const noexcept { return state_->framework_settings; }

void app::apply_settings(const app_settings& values) { apply_to_all(*state_, values); }

std::vector<detail::declared_setting*> app::declared_settings() const {
    std::vector<detail::declared_setting*> result;
    for_each_state(*state_, [&result](const detail::app_state& s) {
        for (const auto& declared : s.declared_settings) result.push_back(declared.get());
    });
    return result;
}

std::vector<const detail::declared_command*> app::declared_commands() const {
    std::vector<const detail::declared_command*> result;
    for_each_state(*state_, [&result](const detail::app_state& s) {
        for (const auto& declared : s.declared_commands) result.push_back(declared.get());
    });
    return result;
}

std::vector<const detail::application_default*> app::application_defaults() const {
    std::vector<const detail::application_default*> result;
    for_each_state(*state_, [&result](const detail::app_state& s) {
        for (const auto& entry : s.defaults) result.push_back(entry.get());
    });
    return result;
}

}  // namespace rondo
