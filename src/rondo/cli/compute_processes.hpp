// SPDX-License-Identifier: Apache-2.0
// The compute processes for isolated views: a process group and a job socket per name.
#pragma once

#include <string_view>
#include <vector>

#include <rondo/cli/settings/settings.hpp>
#include <rondo/process/arbiter.hpp>

namespace rondo {
class app;
}

namespace rondo::cli {

/// Throws std::runtime_error when --compute-workers has a name that no isolated view has.
void require_known_compute_pools(app& application, const server_settings& settings);

/// Returns the job sockets of all groups, reusing those of the previous image after a reload, and connects the views to
/// them.
[[nodiscard]] std::vector<process::managed_listener> listen_for_jobs(app& application, const server_settings& settings,
                                                                     process::handover& inherited);

/// The process groups for the arbiter, "compute:NAME" for each name. Both arguments must outlive it.
[[nodiscard]] std::vector<process::group_options> compute_groups(app& application, const server_settings& settings);

}  // namespace rondo::cli
