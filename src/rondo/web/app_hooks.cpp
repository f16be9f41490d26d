// SPDX-License-Identifier: Apache-2.0
#include <rondo/base/log.hpp>
#include <rondo/web/app_state.hpp>

namespace rondo {
namespace {

void start_in_arbiter(const detail::app_state& app) {
    for (const auto& hook : app.arbiter_starts) hook();
    for (const auto& sub : app.mounted) start_in_arbiter(*sub);
}

// A failing hook does not stop the reload.
void reload_in_arbiter(const detail::app_state& app) {
    for (const auto& hook : app.reloads) {
        try {
            hook();
        } catch (const std::exception& e) {
            log::error(std::string("an on_reload() hook failed: ") + e.what());
        }
    }
    for (const auto& sub : app.mounted) reload_in_arbiter(*sub);
}

}  // namespace

void app::on_arbiter_start(std::function<void()> hook) {
    state_->require_not_running("add hooks");
    state_->arbiter_starts.push_back(std::move(hook));
}

void app::on_reload(std::function<void()> hook) {
    state_->require_not_running("add hooks");
    state_->reloads.push_back(std::move(hook));
}

void app::before_request(std::function<void(request&)> hook) {
    state_->require_not_running("add hooks");
    state_->before.push_back(std::move(hook));
}

void app::after_request(std::function<void(const access_entry&)> hook) {
    state_->require_not_running("add hooks");
    state_->after.push_back(std::move(hook));
}

void app::in_arbiter(bool reloaded) const {
    if (reloaded) reload_in_arbiter(*state_);
    else start_in_arbiter(*state_);
}

}  // namespace rondo
