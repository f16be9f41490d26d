// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rondo/admin/admin_backend.hpp>
#include <rondo/net/address.hpp>
#include <rondo/web/app.hpp>

namespace rondo::admin {

/// What the admin listener serves: GET /healthz, /readyz, /metrics, /requests, /status.json and the page at /; POST
/// /reload, /drain, /scale?workers=N. Nothing of it is cached, and no page of another site can reach it: the host asked
/// for must be an address or localhost (a name could be made to point here), and a POST must come from the page itself
/// or from no page at all.
class admin_pages {
public:
    /// `of` must outlive this, and this the application made of it.
    explicit admin_pages(operations& of) noexcept : of_(of) {}
    [[nodiscard]] app make();

private:
    [[nodiscard]] overview look() const;
    task<response> health(request& req);
    task<response> readiness(request& req);
    task<response> metrics(request& req);
    task<response> requests(request& req);
    task<response> status(request& req);
    task<response> reload(request& req);
    task<response> drain(request& req);
    task<response> scale(request& req);

    operations& of_;
};

/// Throws std::invalid_argument with a sentence when others than this machine could reach the address, unless that is
/// `allowed`.
void require_private(const net::bind_address& at, bool allowed);

}  // namespace rondo::admin
