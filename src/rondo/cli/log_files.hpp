// SPDX-License-Identifier: Apache-2.0
// The files of the logs: made by who may, opened anew by who writes.
#pragma once

#include <string>

#include <rondo/cli/access_log.hpp>
#include <rondo/cli/settings/settings.hpp>

namespace rondo::cli {

/// Makes the file of a log, and gives it to the user of the workers, who may not be allowed to make it. Nothing for "-"
/// and "off". Throws std::exception with what hinders.
void make_log_file(const std::string& path, const settings& chosen);

/// Those of all logs of these settings.
void make_log_files(const settings& chosen);

/// As make_log_files(), but what hinders is logged, and the other file is made all the same.
void try_to_make_log_files(const settings& chosen) noexcept;

/// After a rotation: opens the error log anew, and the access log if this process has one. What cannot be opened is
/// logged, and written on as before; the other is opened all the same.
void reopen_logs(access_log_file* access = nullptr) noexcept;

}  // namespace rondo::cli
