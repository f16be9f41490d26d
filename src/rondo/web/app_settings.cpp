// SPDX-License-Identifier: Apache-2.0
// What an application declares for the command line: settings, other defaults, commands.
#include <algorithm>
#include <stdexcept>

#include <rondo/web/app_state.hpp>

namespace rondo {
namespace {

bool is_word(std::string_view name) {
    const auto good = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
    return !name.empty() && std::ranges::all_of(name, good) && name.front() >= 'a' && name.back() != '-';
}

void require_word(std::string_view name, std::string_view what) {
    if (is_word(name)) return;
    throw std::invalid_argument("'" + std::string(name) + "' is no name for a " + std::string(what) +
                                ": use lower-case letters, digits and '-', like 'upstream-url'");
}

template <class F>
void for_each_state(const detail::app_state& app, F f) {
    f(app);
    for (const auto& sub : app.mounted) for_each_state(*sub, f);
}

void use_everywhere(detail::app_state& app, const app_settings& chosen) {
    app.chosen = chosen;
    for (const auto& sub : app.mounted) use_everywhere(*sub, chosen);
}

}  // namespace

void app::declare(std::shared_ptr<detail::declared_setting> setting, std::string name, std::string type,
                  std::string help, const std::source_location& where) {
    state_->require_not_running("settings are declared");
    require_word(name, "setting");
    setting->name = std::move(name);
    setting->type = std::move(type);
    setting->help = std::move(help);
    setting->where = where;
    state_->settings.push_back(std::move(setting));
}

void app::prefer(std::string name, std::string value, std::source_location where) {
    state_->require_not_running("defaults are chosen");
    state_->preferred.push_back(std::make_unique<detail::preferred_setting>(std::move(name), std::move(value), where));
}

command_options& app::add_command(detail::declared_command command) {
    state_->require_not_running("commands are declared");
    require_word(command.name, "command");
    state_->commands.push_back(std::make_unique<detail::declared_command>(std::move(command)));
    return state_->commands.back()->options;
}

const app_settings& app::settings() const noexcept { return state_->chosen; }

void app::use_settings(const app_settings& chosen) { use_everywhere(*state_, chosen); }

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
        for (const auto& chosen : s.preferred) all.push_back(chosen.get());
    });
    return all;
}

}  // namespace rondo
