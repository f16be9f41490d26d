// SPDX-License-Identifier: Apache-2.0
// Implements the part of app that declares settings, defaults and commands for the command line.
#include <algorithm>
#include <stdexcept>

#include <rondo/web/app_state.hpp>

namespace rondo {
namespace {

bool is_word(std::string_view name) {
    const auto is_allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
    return !name.empty() && std::ranges::all_of(name, is_allowed) && name.front() >= 'a' && name.back() != '-';
}

void require_word(std::string_view name, std::string_view kind) {
    if (is_word(name)) return;
    throw std::invalid_argument("invalid " + std::string(kind) + " name '" + std::string(name) +
                                "': use lower-case letters, digits and '-', as in 'upstream-url'");
}

template <class F>
void for_each_state(const detail::app_state& app, F f) {
    f(app);
    for (const auto& sub : app.mounted) for_each_state(*sub, f);
}

void use_everywhere(detail::app_state& app, const app_settings& values) {
    app.chosen = values;
    for (const auto& sub : app.mounted) use_everywhere(*sub, values);
}

}  // namespace

void app::declare(std::shared_ptr<detail::declared_setting> setting, std::string name, std::string type,
                  std::string help, const std::source_location& location) {
    state_->require_not_running("declare settings");
    require_word(name, "setting");
    setting->name = std::move(name);
    setting->type = std::move(type);
    setting->help = std::move(help);
    setting->where = location;
    state_->settings.push_back(std::move(setting));
}

void app::prefer(std::string name, std::string value, std::source_location location) {
    state_->require_not_running("set defaults");
    state_->preferred.push_back(
        std::make_unique<detail::preferred_setting>(std::move(name), std::move(value), location));
}

command_options& app::add_command(detail::declared_command command) {
    state_->require_not_running("declare commands");
    require_word(command.name, "command");
    state_->commands.push_back(std::make_unique<detail::declared_command>(std::move(command)));
    return state_->commands.back()->options;
}

const app_settings& app::settings() const noexcept { return state_->chosen; }

void app::use_settings(const app_settings& values) { use_everywhere(*state_, values); }

std::vector<detail::declared_setting*> app::declared_settings() const {
    std::vector<detail::declared_setting*> all;
    for_each_state(*state_, [&all](const detail::app_state& s) {
        for (const auto& declared : s.settings) all.push_back(declared.get());
    });
    return all;
}

std::vector<const detail::declared_command*> app::declared_commands() const {
    std::vector<const detail::declared_command*> all;
    for_each_state(*state_, [&all](const detail::app_state& s) {
        for (const auto& declared : s.commands) all.push_back(declared.get());
    });
    return all;
}

std::vector<const detail::preferred_setting*> app::preferred_settings() const {
    std::vector<const detail::preferred_setting*> all;
    for_each_state(*state_, [&all](const detail::app_state& s) {
        for (const auto& entry : s.preferred) all.push_back(entry.get());
    });
    return all;
}

}  // namespace rondo
