// SPDX-License-Identifier: Apache-2.0
// A leased connection that can be held on any thread and is returned on the loop of its database.
// Implemented in database_state.cpp.
#pragma once

#include <memory>
#include <utility>

#include <rondo/db/database_state.hpp>
#include <rondo/db/driver.hpp>

namespace rondo::db {

/// Owns a session on any thread; its calls run on the loop of the database. Move-only.
class [[nodiscard]] session_lease {
public:
    session_lease() noexcept = default;
    session_lease(database_state& owner, std::unique_ptr<session> s) noexcept
        : state_(&owner), session_(std::move(s)) {}
    session_lease(session_lease&&) noexcept = default;
    session_lease& operator=(session_lease&& other) noexcept;
    ~session_lease() { release(); }

    /// Returns the connection to the pool now.
    void release() noexcept;

    [[nodiscard]] database_state& state() const noexcept { return *state_; }
    /// Pass the tasks that its functions return to state().run_on_loop() or state().run_and_wait().
    [[nodiscard]] session& operator*() const noexcept { return *session_; }
    [[nodiscard]] session* operator->() const noexcept { return session_.get(); }

private:
    database_state* state_ = nullptr;
    std::unique_ptr<session> session_;
};

}  // namespace rondo::db
