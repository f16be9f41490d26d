// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include <rondo/coro/task.hpp>
#include <rondo/db/database.hpp>
#include <rondo/web/app.hpp>

namespace rondo {

/// The database of an application, as the settings db-url, db-connections, db-statements and migrations say
/// (docs/databases.md): opened when the application starts, which fails with a sentence when that is not possible, and
/// closed at its end.
///
///     rondo::app app;
///     rondo::app_database database(app);
///     ... (co_await database->query("select ...", id)) ...
///
/// Adds the command `migrate`: applies the migrations, or with --status says which were. Make it before hooks that use
/// it, once per application; it must outlive the application's run.
class app_database {
public:
    explicit app_database(app& of);
    app_database(const app_database&) = delete;
    app_database& operator=(const app_database&) = delete;

    /// Precondition: the application has started, or this is within one of its commands.
    [[nodiscard]] db::database& operator*();
    [[nodiscard]] db::database* operator->() { return &**this; }

private:
    [[nodiscard]] task<void> start();
    [[nodiscard]] task<void> stop();
    [[nodiscard]] task<int> migrate(bool only_status);
    [[nodiscard]] task<int> show_status();
    [[nodiscard]] task<void> warn_of_pending();

    app& app_;
    setting<bool> status_;
    std::optional<db::database> database_;
};

}  // namespace rondo
