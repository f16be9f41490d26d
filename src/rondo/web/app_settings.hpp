// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

namespace rondo {

/// Settings of the framework that an application, or a part of the framework that lives in one, reads with
/// `app.settings()`: in hooks, views and commands. They are set like all others (docs/settings.md), and are complete
/// before the first hook runs.
struct app_settings {
    std::string db_url;               ///< --db-url; empty: none
    std::size_t db_connections = 10;  ///< --db-connections, of each process
    std::size_t db_statements = 256;  ///< --db-statements, prepared per connection; 0: none
    std::string migrations;           ///< --migrations, a folder; empty: none
    std::string channels_url;         ///< --channels-url; empty: within the process
    std::string cache_url;            ///< --cache-url; empty: within the process
};

}  // namespace rondo
