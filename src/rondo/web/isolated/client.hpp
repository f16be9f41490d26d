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
class compute_client {
public:
    compute_client(std::string name, const compute::attach_options& options);

    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] const std::string& address() const noexcept { return address_; }
    /// Returns whether the peer of the connection owns the job socket, so that it may receive jobs.
    [[nodiscard]] bool is_expected_peer(int connection) const;
    [[nodiscard]] std::chrono::milliseconds timeout() const noexcept { return timeout_; }

    /// Sets where jobs are counted. Only before the first job.
    void set_queue_stats(stats::compute_queue_stats& target) noexcept { queue_stats_ = &target; }
    [[nodiscard]] stats::compute_queue_stats& queue_stats() const noexcept { return *queue_stats_; }

    /// Reserves a slot for a job. Throws pool_full.
    void acquire_slot();
    void release_slot() noexcept { used_slots_.fetch_sub(1, std::memory_order_relaxed); }

private:
    std::string name_;
    std::string address_;
    std::optional<ucred> listener_;  // credentials of the process that called listen(), to compare with a connection's
    std::size_t max_jobs_;
    std::chrono::milliseconds timeout_;
    std::atomic<std::size_t> used_slots_{0};
    stats::compute_queue_stats local_stats_{};  // used without a server
    stats::compute_queue_stats* queue_stats_ = &local_stats_;
};

/// A job and its connection to a compute process. To be used on one loop's thread. The destructor cancels the job.
class compute_job {
public:
    /// Throws pool_full.
    explicit compute_job(std::shared_ptr<compute_client> client);
    ~compute_job();
    compute_job(const compute_job&) = delete;
    compute_job& operator=(const compute_job&) = delete;

    /// Sends the request and waits until a process calls its view. If a process dies before that or does not have the
    /// view, the job is sent to another one. Throws pool_full if too many jobs wait, http_error 502 if no process
    /// accepts it.
    [[nodiscard]] task<void> start(request& req, std::string_view body);
    /// Returns the next frame, valid until the next call. Throws http_error 502 if the process died or sent a malformed
    /// reply, 504 if the job timed out.
    [[nodiscard]] task<frame> next_frame();
    /// Makes next_frame() fail if the body is longer than `length`, or shorter unless the body is `omitted`.
    void expect_body(std::uint64_t length, bool omitted) noexcept;
    /// Returns the descriptor of a frame_kind::file. Throws http_error 502 if none was received or it is unsuitable.
    [[nodiscard]] unique_fd take_file(file_part part);
    /// Marks the job as lost because of an unexpected frame, logs `reason`, and returns the http_error 502 to throw.
    [[nodiscard]] http_error reject_reply(std::string_view reason);

private:
    void connect();
    [[nodiscard]] task<void> submit(request& req, std::string_view body);
    [[nodiscard]] task<frame> receive_before_deadline();
    void check_frame(const frame& f);
    void count_body(std::uint64_t bytes);
    [[nodiscard]] task<bool> send(std::string_view message, int file);
    [[nodiscard]] task<std::optional<frame>> receive();

    std::shared_ptr<compute_client> client_;
    unique_fd socket_;
    std::string received_;
    std::size_t consumed_ = 0;        // bytes of received_ that belong to returned frames
    unsigned frames_since_wait_ = 0;  // frames received since the job last waited
    std::vector<unique_fd> files_;
    std::optional<std::uint64_t> remaining_body_;  // bytes of the declared body that are outstanding
    bool body_omitted_ = false;
    instant deadline_ = instant::max();
    instant submitted_at_ = clock::now();
    bool started_ = false;
    stats::job_outcome outcome_ = stats::job_outcome::cancelled;  // until another outcome is known
};

}  // namespace rondo::detail
