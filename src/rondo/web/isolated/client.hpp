// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/socket.h>

#include <rondo/base/clock.hpp>
#include <rondo/base/unique_fd.hpp>
#include <rondo/coro/task.hpp>
#include <rondo/handler/error.hpp>
#include <rondo/stats/compute_stats.hpp>
#include <rondo/web/isolated/processes.hpp>
#include <rondo/web/isolated/protocol.hpp>

namespace rondo::detail {

/// The way to the compute processes of one name. A job that is begun or waits holds a place; there are so many of them
/// that what waits is finite. Any thread.
class compute_link {
public:
    compute_link(std::string name, const compute::link_options& with);

    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] const std::string& address() const noexcept { return address_; }
    /// Whether jobs may go through this connection.
    [[nodiscard]] bool leads_to_ours(int connection) const;
    [[nodiscard]] std::chrono::milliseconds timeout() const noexcept { return timeout_; }

    /// What is asked is counted there from now on. Before the first job.
    void count_in(stats::compute_demand& figures) noexcept { figures_ = &figures; }
    [[nodiscard]] stats::compute_demand& figures() const noexcept { return *figures_; }

    /// Throws pool_full.
    void enter();
    void leave() noexcept { taken_.fetch_sub(1, std::memory_order_relaxed); }

private:
    std::string name_;
    std::string address_;
    std::optional<ucred> listener_;  // who called listen(); known to the kernel of the connections too
    std::size_t places_;
    std::chrono::milliseconds timeout_;
    std::atomic<std::size_t> taken_{0};
    stats::compute_demand own_{};  // without a server
    stats::compute_demand* figures_ = &own_;
};

/// One job: its connection to a compute process. On one loop's thread. To destroy it is to cancel the job.
class compute_job {
public:
    /// Throws pool_full.
    explicit compute_job(std::shared_ptr<compute_link> link);
    ~compute_job();
    compute_job(const compute_job&) = delete;
    compute_job& operator=(const compute_job&) = delete;

    /// Sends the request and waits until its view is called. A process that dies before that costs nothing: another one
    /// is asked, and so is another one than one that has no such view. Throws pool_full when too many wait already,
    /// http_error 502 when no process takes it.
    [[nodiscard]] task<void> begin(request& req, std::string_view body);
    /// The next frame; it holds until the next call. Throws http_error: 502 when the process is gone or what it sent is
    /// not valid, 504 when the time of the job is over.
    [[nodiscard]] task<frame> next();
    /// next() fails for more bytes of the body than `length`, and for an end before that unless the body is `left_out`.
    void expect(std::uint64_t length, bool left_out) noexcept;
    /// The descriptor that belongs to a frame_kind::file. Throws http_error 502 when none came with these bytes.
    [[nodiscard]] unique_fd take_file(file_part part);
    /// What next() gave does not belong there: the job is lost, and the log says why. Gives what is to be thrown: 502.
    [[nodiscard]] http_error invalid(std::string_view why);

private:
    void connect();
    [[nodiscard]] task<void> ask(request& req, std::string_view body);
    [[nodiscard]] task<frame> next_in_time();
    void check(const frame& f);
    void count(std::uint64_t bytes);
    [[nodiscard]] task<bool> send(std::string_view message, int file);
    [[nodiscard]] task<std::optional<frame>> receive();

    std::shared_ptr<compute_link> link_;
    unique_fd socket_;
    std::string received_;
    std::size_t used_ = 0;       // of it, by frames that were given
    unsigned without_wait_ = 0;  // frames taken since the last wait for one
    std::vector<unique_fd> files_;
    std::optional<std::uint64_t> missing_;  // bytes of the body, of those that were declared
    bool left_out_ = false;
    instant until_ = instant::max();
    instant asked_ = clock::now();
    bool begun_ = false;
    stats::job_end end_ = stats::job_end::cancelled;  // unless something else becomes known
};

}  // namespace rondo::detail
