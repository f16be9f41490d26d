// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include <rondo/cli/settings/settings.hpp>
#include <rondo/process/arbiter.hpp>

namespace rondo {
class app;
}

/// The compute processes of an application with isolated views: a group "compute:NAME" for each name, and a socket of
/// that group for its jobs.
namespace rondo::cli {

/// Throws std::runtime_error with a sentence when --compute-workers names what no view has.
void require_known_computers(app& application, const settings& chosen);

/// The sockets, after a reload those of the image before where there are any; the views go there from now on.
[[nodiscard]] std::vector<process::kept_socket> listen_for_jobs(app& application, const settings& chosen,
                                                                process::inheritance& inherited);

/// What the arbiter runs. Both arguments must outlive it.
[[nodiscard]] std::vector<process::group> compute_groups(app& application, const settings& chosen);

}  // namespace rondo::cli
