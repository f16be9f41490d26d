// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <rondo/base/clock.hpp>
#include <rondo/coro/task_group.hpp>
#include <rondo/web/background.hpp>
#include <rondo/web/lifespan.hpp>

namespace rondo::detail {

/// Calls it: on the loop, or on the blocking pool.
[[nodiscard]] task<void> run_hook(const hook& h);

/// What runs beside the views of an application.
class companions {
public:
    /// Whether this process is the one that does what only one may do. On the loop; must not block.
    using election = std::function<bool(std::string_view name)>;

    /// Before it runs: a task of the whole life, started again when it fails.
    void add_beside(std::string name, hook h) { lasting_.push_back({std::move(name), std::move(h), {}}); }
    void add_periodic(std::string name, hook h, clock::duration interval) {
        lasting_.push_back({std::move(name), std::move(h), interval});
    }
    /// Any time, any thread; the options of the first call count.
    [[nodiscard]] background_group& group(std::string_view name, background_options options);

    void start(const election& elect);
    [[nodiscard]] task<void> end(instant until);

private:
    struct lasting {
        std::string name;
        hook call;
        std::optional<clock::duration> interval;
    };
    [[nodiscard]] static task<void> keep_running(const lasting& what);
    [[nodiscard]] static task<void> repeat(const lasting& what, election elect);

    std::vector<lasting> lasting_;
    std::optional<task_group> running_;
    std::mutex mutex_;
    event_loop* loop_ = nullptr;  // these two under the mutex
    std::vector<std::unique_ptr<background_group>> groups_;
};

}  // namespace rondo::detail
