// SPDX-License-Identifier: Apache-2.0
#include <rondo/client/pools.hpp>

#include <algorithm>
#include <array>
#include <span>

namespace rondo::detail {

// The pool of one loop; exists until the loop or the client ends. The code that removes it from the list, under the
// lock, destroys it on the loop thread.
class client_pools::member final : public event_loop::end_hook {
public:
    member(std::shared_ptr<client_pools> pools, event_loop& l)
        : loop(l), pools_(std::move(pools)), pool_(new client_pool(l, pools_->options_, pools_)) {
        loop.add(*this);
    }
    void end() noexcept {
        pool_->close_down();
        delete this;
    }
    void loop_ends() noexcept override {
        {
            std::lock_guard lock(pools_->mutex_);
            // Not listed: the client has posted close() already.
            if (std::erase(pools_->members_, this) == 0) return;
            pools_->keep_counts(*this);
        }
        end();
    }
    [[nodiscard]] client_pool& pool() noexcept { return *pool_; }
    [[nodiscard]] client_counts count() const noexcept { return pool_->count(); }

    event_loop& loop;

private:
    std::shared_ptr<client_pools> pools_;
    client_pool* pool_;
};

namespace {

constexpr figure_text figure_texts[] = {
    {"requests", "Requests for a connection, including redirects and retries."},
    {"opened", "Connections opened."},
    {"refused", "Requests refused because the queue for a connection was full."},
    {"waits", "Finished waits for a connection."},
    {"wait", "Total time spent waiting for a connection.", true, true},
    {"connections", "Open connections, including those being opened.", false},
    {"busy", "Open connections in use.", false},
    {"waiting", "Requests waiting for a connection.", false},
};

bool tell(const client_counts& c, std::span<std::uint64_t> to) {
    std::ranges::copy(std::array{c.requests, c.opened, c.refused, c.waits, c.waited_ns, c.open,
                                 c.open - std::min(c.open, c.idle), c.waiting},
                      to.begin());
    return c.requests > 0;
}

}  // namespace

client_pools::client_pools(client_options options)
    : options_(std::move(options)),
      told_("client", figure_texts, {}, [this](std::span<std::uint64_t> to) { return tell(count(), to); }) {}

client_counts client_pools::count() noexcept {
    const std::lock_guard lock(mutex_);
    client_counts all = ended_;
    for (const member* m : members_) all.add(m->count());
    return all;
}

void client_pools::keep_counts(const member& ending) noexcept {
    client_counts counted = ending.count();
    counted.open = counted.idle = counted.waiting = 0;
    ended_.add(counted);
}

client_pool* client_pools::here_if_made() noexcept {
    const event_loop* loop = event_loop::current_or_null();
    std::lock_guard lock(mutex_);
    for (member* m : members_) {
        if (&m->loop == loop) return &m->pool();
    }
    return nullptr;
}

client_pool& client_pools::here() {
    if (client_pool* known = here_if_made()) return *known;
    auto* m = new member(shared_from_this(), event_loop::current());
    std::lock_guard lock(mutex_);
    members_.push_back(m);
    return m->pool();
}

void client_pools::forget() noexcept {
    std::lock_guard lock(mutex_);
    members_.clear();
}

void client_pools::close() noexcept {
    std::lock_guard lock(mutex_);
    for (member* m : members_) {
        keep_counts(*m);
        // While the pool is listed its loop cannot end: loop_ends() waits for the lock.
        if (&m->loop == event_loop::current_or_null()) m->end();
        else m->loop.post([m] { m->end(); });
    }
    members_.clear();
}

}  // namespace rondo::detail
