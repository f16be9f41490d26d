// SPDX-License-Identifier: Apache-2.0
// Creates the log files with the right owner, and reopens them after a rotation.
#pragma once

#include <string>

#include <rondo/cli/access_log.hpp>
#include <rondo/cli/settings/settings.hpp>

namespace rondo::cli {

/// Creates a log file owned by the user of the workers, which may not be allowed to create it. Does nothing for "-" and
/// "off". Throws std::exception on failure.
void create_log_file(const std::string& path, const server_settings& settings);

/// Creates all log files of these settings.
void create_log_files(const server_settings& settings);

/// Like create_log_files(), but logs each failure and continues with the next file.
void try_create_log_files(const server_settings& settings) noexcept;

/// Reopens the error log, and the access log if this process has one, after a rotation. Logs each failure, keeps
/// writing to the old file and continues with the next.
void reopen_logs(access_log_file* access = nullptr) noexcept;

}  // namespace rondo::cli
