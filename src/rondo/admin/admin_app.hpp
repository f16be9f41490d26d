// SPDX-License-Identifier: Apache-2.0
// The web application of the admin listener: health, metrics, status, dashboard and control commands.
#pragma once

#include <rondo/admin/admin_backend.hpp>
#include <rondo/net/listen.hpp>
#include <rondo/web/app.hpp>

namespace rondo::admin {

/// Serves GET /healthz, /readyz, /metrics, /requests, /status.json and the dashboard at /; POST /reload, /drain and
/// /scale?workers=N. Responses are not cached. Pages of other sites have no access: the Host must be an IP address or
/// localhost (against DNS rebinding), and a POST must come from the dashboard itself or from a client that is not a
/// browser.
class admin_app {
public:
    /// `backend` must outlive this, and this the application that make_app() returns.
    explicit admin_app(admin_backend& backend) noexcept : backend_(backend) {}
    [[nodiscard]] app make_app();

private:
    [[nodiscard]] stats_snapshot snapshot() const;
    task<response> health(request& req);
    task<response> readiness(request& req);
    task<response> metrics(request& req);
    task<response> requests(request& req);
    task<response> status(request& req);
    task<response> reload(request& req);
    task<response> drain(request& req);
    task<response> scale(request& req);

    admin_backend& backend_;
};

/// Throws std::invalid_argument with a user-facing message when other machines could reach the address, unless
/// `allowed`.
void require_local_address(const net::bind_address& address, bool allowed);

}  // namespace rondo::admin
