// SPDX-License-Identifier: Apache-2.0
// The database of an application, opened and migrated as the settings say.
#pragma once

#include <optional>

#include <rondo/coro/task.hpp>
#include <rondo/db/database.hpp>
#include <rondo/web/app.hpp>

namespace rondo {

/// The database of an application, configured by the settings db-url, db-connections, db-statements and migrations
/// (docs/databases.md). Opened when the application starts (if that fails, startup fails with a user-facing message)
/// and closed when it stops.
///
///     rondo::app app;
///     rondo::app_database database(app);
///     ... (co_await database->query("select ...", id)) ...
///
/// Adds the command `migrate`, which applies the migrations or, with --status, lists them with their state. Construct
/// it once per application, before adding hooks that use it; it must exist as long as the application runs.
class app_database {
public:
    explicit app_database(app& application);
    app_database(const app_database&) = delete;
    app_database& operator=(const app_database&) = delete;

    /// Only while the application runs, or in one of its commands.
    [[nodiscard]] db::database& operator*();
    [[nodiscard]] db::database* operator->() { return &**this; }

private:
    [[nodiscard]] task<void> start();
    [[nodiscard]] task<void> stop();
    [[nodiscard]] task<int> migrate(bool status_only);
    [[nodiscard]] task<int> show_status();
    [[nodiscard]] task<void> warn_about_pending();

    app& app_;
    setting<bool> status_only_;
    std::optional<db::database> database_;
};

}  // namespace rondo
