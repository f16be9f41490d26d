// SPDX-License-Identifier: Apache-2.0
// The framework's settings that an application may read.
#pragma once

#include <cstddef>
#include <string>

namespace rondo {

/// The framework's settings that hooks, views, commands and parts of the framework read with `app.settings()`. They are
/// set like all other settings (docs/settings.md) and are complete before the first hook runs.
struct app_settings {
    std::string db_url;               ///< --db-url; empty: none
    std::size_t db_connections = 10;  ///< --db-connections, per process
    std::size_t db_statements = 256;  ///< --db-statements, prepared per connection; 0: none
    std::string migrations;           ///< --migrations, a folder; empty: none
    std::string channels_url;         ///< --channels-url; empty: within the process
    std::string cache_url;            ///< --cache-url; empty: within the process
};

}  // namespace rondo
