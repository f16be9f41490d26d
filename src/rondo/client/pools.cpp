// SPDX-License-Identifier: Apache-2.0
#include <rondo/client/pools.hpp>

#include <algorithm>
#include <array>
#include <span>

namespace rondo::detail {

// The pool of one loop; exists until the loop or the client ends. The code that removes it from the list, under the
// lock, destroys it on the loop thread.
class client_pools::loop_pool final : public event_loop::end_hook {
public:
    loop_pool(std::shared_ptr<client_pools> pools, event_loop& l)
        : loop(l), pools_(std::move(pools)), pool_(new client_pool(l, pools_->options_, pools_)) {
        loop.add(*this);
    }
    void close() noexcept {
        pool_->shut_down();
        delete this;
    }
    void on_loop_end() noexcept override {
        {
            std::lock_guard lock(pools_->mutex_);
            // Not listed: the client has posted close() already.
            if (std::erase(pools_->loop_pools_, this) == 0) return;
            pools_->add_to_ended(*this);
        }
        close();
    }
    [[nodiscard]] client_pool& pool() noexcept { return *pool_; }
    [[nodiscard]] client_stats stats() const noexcept { return pool_->stats(); }

    event_loop& loop;

private:
    std::shared_ptr<client_pools> pools_;
    client_pool* pool_;
};

namespace {

constexpr metric_descriptor metric_descriptors[] = {
    {"requests", "Requests for a connection, including redirects and retries."},
    {"opened", "Connections opened."},
    {"refused", "Requests refused because the queue for a connection was full."},
    {"waits", "Finished waits for a connection."},
    {"wait", "Total time spent waiting for a connection.", true, true},
    {"connections", "Open connections, including those being opened.", false},
    {"busy", "Open connections in use.", false},
    {"waiting", "Requests waiting for a connection.", false},
};

bool write_stats(const client_stats& c, std::span<std::uint64_t> to) {
    std::ranges::copy(std::array{c.requests, c.opened, c.refused, c.waits, c.waited_ns, c.open,
                                 c.open - std::min(c.open, c.idle), c.waiting},
                      to.begin());
    return c.requests > 0;
}

}  // namespace

client_pools::client_pools(client_options options)
    : options_(std::move(options)),
      stats_source_("client", metric_descriptors, {},
                    [this](std::span<std::uint64_t> to) { return write_stats(stats(), to); }) {}

client_stats client_pools::stats() noexcept {
    const std::lock_guard lock(mutex_);
    client_stats sum = ended_stats_;
    for (const loop_pool* p : loop_pools_) sum.add(p->stats());
    return sum;
}

void client_pools::add_to_ended(const loop_pool& ending) noexcept {
    client_stats counted = ending.stats();
    counted.open = counted.idle = counted.waiting = 0;
    ended_stats_.add(counted);
}

client_pool* client_pools::current_or_null() noexcept {
    const event_loop* loop = event_loop::current_or_null();
    std::lock_guard lock(mutex_);
    for (loop_pool* p : loop_pools_) {
        if (&p->loop == loop) return &p->pool();
    }
    return nullptr;
}

client_pool& client_pools::current() {
    if (client_pool* existing = current_or_null()) return *existing;
    auto* p = new loop_pool(shared_from_this(), event_loop::current());
    std::lock_guard lock(mutex_);
    loop_pools_.push_back(p);
    return p->pool();
}

void client_pools::reset_after_fork() noexcept {
    std::lock_guard lock(mutex_);
    loop_pools_.clear();
}

void client_pools::close() noexcept {
    std::lock_guard lock(mutex_);
    for (loop_pool* p : loop_pools_) {
        add_to_ended(*p);
        // While the pool is listed its loop cannot end: loop_ends() waits for the lock.
        if (&p->loop == event_loop::current_or_null()) p->close();
        else p->loop.post([p] { p->close(); });
    }
    loop_pools_.clear();
}

}  // namespace rondo::detail
