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
void require_known_computers(app& application, const settings& settings);

/// Returns the job sockets of all groups, reusing those of the previous image after a reload, and connects the views to
/// them.
[[nodiscard]] std::vector<process::kept_socket> listen_for_jobs(app& application, const settings& settings,
                                                                process::inheritance& inherited);

/// The process groups for the arbiter, "compute:NAME" for each name. Both arguments must outlive it.
[[nodiscard]] std::vector<process::group> compute_groups(app& application, const settings& settings);

}  // namespace rondo::cli
