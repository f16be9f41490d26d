// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <utility>

#include <rondo/db/database_state.hpp>
#include <rondo/db/driver.hpp>

namespace rondo::db {

/// Owns a session on whatever thread; what is done with it is done at home. Move-only.
class [[nodiscard]] session_lease {
public:
    session_lease() noexcept = default;
    session_lease(home& at, std::unique_ptr<session> s) noexcept : home_(&at), session_(std::move(s)) {}
    session_lease(session_lease&&) noexcept = default;
    session_lease& operator=(session_lease&& other) noexcept;
    ~session_lease() { give_back(); }

    /// Gives the connection back now.
    void give_back() noexcept;

    [[nodiscard]] home& at() const noexcept { return *home_; }
    /// What its functions return is for at().from_here() or at().wait().
    [[nodiscard]] session& operator*() const noexcept { return *session_; }
    [[nodiscard]] session* operator->() const noexcept { return session_.get(); }

private:
    home* home_ = nullptr;
    std::unique_ptr<session> session_;
};

}  // namespace rondo::db
