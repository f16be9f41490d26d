// SPDX-License-Identifier: Apache-2.0
// Implements the part of app that adds and runs arbiter, reload and request hooks.
#include <rondo/base/log.hpp>
#include <rondo/web/app_state.hpp>

namespace rondo {
namespace {

void run_arbiter_start_hooks(const detail::app_state& app) {
    for (const auto& hook : app.arbiter_start_hooks) hook();
    for (const auto& sub : app.mounted) run_arbiter_start_hooks(*sub);
}

// A failing hook does not stop the reload.
void run_reload_hooks(const detail::app_state& app) {
    for (const auto& hook : app.reload_hooks) {
        try {
            hook();
        } catch (const std::exception& e) {
            log::error(std::string("an on_reload() hook failed: ") + e.what());
        }
    }
    for (const auto& sub : app.mounted) run_reload_hooks(*sub);
}

}  // namespace

void app::on_arbiter_start(std::function<void()> hook) {
    state_->require_not_running("add hooks");
    state_->arbiter_start_hooks.push_back(std::move(hook));
}

void app::on_reload(std::function<void()> hook) {
    state_->require_not_running("add hooks");
    state_->reload_hooks.push_back(std::move(hook));
}

void app::before_request(std::function<void(request&)> hook) {
    state_->require_not_running("add hooks");
    state_->before_request.push_back(std::move(hook));
}

void app::after_request(std::function<void(const access_entry&)> hook) {
    state_->require_not_running("add hooks");
    state_->after_request.push_back(std::move(hook));
}

void app::run_arbiter_hooks(bool reloaded) const {
    if (reloaded) run_reload_hooks(*state_);
    else run_arbiter_start_hooks(*state_);
}

}  // namespace rondo
