// SPDX-License-Identifier: Apache-2.0
// Sends jobs of isolated views to compute processes and receives their replies.
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

/// Connects to the compute processes of one name. Limits the number of jobs that run or wait. Thread-safe.
class compute_link {
public:
    compute_link(std::string name, const compute::link_options& options);

    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] const std::string& address() const noexcept { return address_; }
    /// Returns whether the peer of the connection owns the job socket, so that it may receive jobs.
    [[nodiscard]] bool leads_to_ours(int connection) const;
    [[nodiscard]] std::chrono::milliseconds timeout() const noexcept { return timeout_; }

    /// Sets where jobs are counted. Only before the first job.
    void count_in(stats::compute_demand& target) noexcept { figures_ = &target; }
    [[nodiscard]] stats::compute_demand& figures() const noexcept { return *figures_; }

    /// Reserves a slot for a job. Throws pool_full.
    void enter();
    void leave() noexcept { taken_.fetch_sub(1, std::memory_order_relaxed); }

private:
    std::string name_;
    std::string address_;
    std::optional<ucred> listener_;  // credentials of the process that called listen(), to compare with a connection's
    std::size_t places_;
    std::chrono::milliseconds timeout_;
    std::atomic<std::size_t> taken_{0};
    stats::compute_demand own_{};  // used without a server
    stats::compute_demand* figures_ = &own_;
};

/// A job and its connection to a compute process. To be used on one loop's thread. The destructor cancels the job.
class compute_job {
public:
    /// Throws pool_full.
    explicit compute_job(std::shared_ptr<compute_link> client);
    ~compute_job();
    compute_job(const compute_job&) = delete;
    compute_job& operator=(const compute_job&) = delete;

    /// Sends the request and waits until a process calls its view. If a process dies before that or does not have the
    /// view, the job goes to another one. Throws pool_full if too many jobs wait, http_error 502 if no process accepts
    /// it.
    [[nodiscard]] task<void> begin(request& req, std::string_view body);
    /// Returns the next frame, valid until the next call. Throws http_error 502 if the process died or sent a malformed
    /// reply, 504 if the job timed out.
    [[nodiscard]] task<frame> next();
    /// Makes next_frame() fail if the body is longer than `length`, or shorter unless the body is `omitted`.
    void expect(std::uint64_t length, bool omitted) noexcept;
    /// Returns the descriptor of a frame_kind::file. Throws http_error 502 if none was received or it is unsuitable.
    [[nodiscard]] unique_fd take_file(file_part part);
    /// Marks the job as lost because of an unexpected frame, logs `reason`, and returns the http_error 502 to throw.
    [[nodiscard]] http_error invalid(std::string_view reason);

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
    std::size_t used_ = 0;       // bytes of received_ that belong to returned frames
    unsigned without_wait_ = 0;  // frames received since the job last waited
    std::vector<unique_fd> files_;
    std::optional<std::uint64_t> missing_;  // bytes of the declared body that are outstanding
    bool left_out_ = false;
    instant until_ = instant::max();
    instant asked_ = clock::now();
    bool begun_ = false;
    stats::job_end end_ = stats::job_end::cancelled;  // until another outcome is known
};

}  // namespace rondo::detail
