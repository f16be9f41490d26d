// SPDX-License-Identifier: Apache-2.0
// The child processes of an arbiter, by group: starts, monitors, replaces and terminates them.
// Implemented in child_processes.cpp and child_monitor.cpp.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include <rondo/base/clock.hpp>
#include <rondo/base/unique_fd.hpp>
#include <rondo/process/arbiter.hpp>
#include <rondo/process/handover.hpp>
#include <rondo/process/slot_table.hpp>

namespace rondo::process {

/// The arbiter's record of one child process.
struct child_process {
    pid_t pid = 0;
    std::size_t group = 0;    ///< index
    std::size_t slot = 0;     ///< slot_table::max_slots when unknown to this image
    unsigned generation = 0;  ///< of the image that started it
    instant started{};
    instant kill_at = instant::max();
    instant stack_dump_requested_at = instant::max();
    bool was_ready = false;
    bool terminating = false;  ///< a termination signal was sent
    bool recycling = false;    ///< a replacement was requested
    bool killed = false;
};

/// All child processes of an arbiter, and the target they are reconciled with.
class child_processes {
public:
    /// `command_fd` is the write end through which children send commands. `options` and `command_fd` must outlive this
    /// object.
    child_processes(const arbiter_options& options, int wakeup_fd, unique_fd& command_fd);
    ~child_processes();

    void add_group(group_options g, std::vector<handover::table>& inherited);
    /// Takes over a child of an earlier image. Children of a group that no longer exists are terminated after the
    /// workers of that image, which may depend on them.
    void adopt(const handover::process& p, instant now);
    void add_listener(managed_listener s) { listeners_.push_back(std::move(s)); }

    /// Sets the generation of new children. Older children are terminated once the generation is complete.
    void set_generation(unsigned n) noexcept { generation_ = n; }
    [[nodiscard]] unsigned generation() const noexcept { return generation_; }
    /// Called first in every forked child.
    std::function<void()> after_fork_in_child;

    /// Starts missing children and terminates surplus ones.
    void reconcile(instant now);
    /// Reads the slots: detects children that became ready, hang, or exceeded their time to exit.
    void check(instant now);
    /// Handles a result of waitpid(). Returns false when the process is not one of these children.
    bool on_reaped(pid_t pid, int status, instant now);
    /// Latest time of the next check().
    [[nodiscard]] instant next_check(instant now) const noexcept;

    void scale(int by);
    void scale_to(std::size_t children);
    /// While paused the target of every group is 0.
    void set_paused(bool on) noexcept { paused_ = on; }
    [[nodiscard]] bool is_paused() const noexcept { return paused_; }
    void shut_down(bool quick, instant now);
    [[nodiscard]] bool is_shutting_down() const noexcept { return shutting_down_; }
    void signal_all(int signal) noexcept;

    [[nodiscard]] bool empty() const noexcept { return processes_.empty(); }
    [[nodiscard]] std::size_t size() const noexcept { return processes_.size(); }
    /// True when the children of this generation failed to start and those of the previous one keep serving.
    [[nodiscard]] bool is_rolled_back() const noexcept { return rolled_back_; }
    /// True when every group has reached its target with ready children of this generation.
    [[nodiscard]] bool is_complete() const noexcept;
    /// True while children of an earlier generation run that are not being terminated.
    [[nodiscard]] bool has_older() const noexcept;
    /// True while a child of an earlier generation may accept connections.
    [[nodiscard]] bool has_older_accepting() const noexcept;
    /// True while a child of this group may accept connections.
    [[nodiscard]] bool is_accepting(std::string_view group) const noexcept;
    /// True when the children of this group stop in the first stage, before those they depend on.
    [[nodiscard]] bool stops_first(std::string_view group) const noexcept;
    /// 0, or the exit status of the arbiter after a failure.
    [[nodiscard]] int exit_status() const noexcept { return exit_status_; }

    [[nodiscard]] std::vector<managed_listener>& listeners() noexcept { return listeners_; }
    [[nodiscard]] const std::vector<managed_listener>& listeners() const noexcept { return listeners_; }
    /// Adds the slot tables and the children to the state handed to the next image.
    void add_to_handover(handover& to) const;
    /// "4 worker, 1 control": target and name of each group, for the service manager.
    [[nodiscard]] std::string summary() const;

private:
    struct child_group {
        group_options options;
        slot_table table;
        std::size_t target = 0;
        std::size_t previous_target = 0;   ///< target of the previous image
        unsigned complete_generation = 0;  ///< last generation that reached its target
        int consecutive_crashes = 0;       ///< consecutive children that exited early
        instant next_start{};
    };

    [[nodiscard]] std::size_t add_unknown_group(const std::string& name);
    void reconcile(std::size_t g, instant now);
    void start_child(std::size_t g, std::size_t slot, instant now);
    [[noreturn]] void run_child(child_group& group, std::size_t slot, pid_t arbiter);
    [[nodiscard]] std::vector<child::table_entry> tables_for(child_group& group, std::size_t slot);
    [[nodiscard]] bool is_current(const child_process& m) const noexcept;
    [[nodiscard]] bool has_older_below(unsigned stage) const noexcept;
    void terminate(child_process& m, instant now) noexcept;
    void shrink(std::size_t g, std::size_t surplus, instant now);
    void advance_shutdown(instant now);

    void check(child_process& m, instant now);
    void check_heartbeat(child_process& m, instant now);
    [[nodiscard]] std::size_t replacement_count(std::size_t g) const noexcept;
    [[nodiscard]] std::string hang_reason(const child_process& m, instant now) const;
    void request_stack_dump(child_process& m, const std::string& reason, instant now);
    void kill(child_process& m, std::string_view reason);
    void on_exit(const child_process& m, int status, instant now);
    void on_start_failure(const child_process& m, instant now);
    void roll_back(std::size_t g, instant now);
    [[nodiscard]] slot_control* control(const child_process& m) const noexcept;
    [[nodiscard]] std::string name(const child_process& m) const;

    const arbiter_options& options_;
    int wakeup_fd_;
    unique_fd& command_fd_;
    std::vector<child_group> groups_;
    std::vector<child_process> processes_;
    std::vector<managed_listener> listeners_;
    unsigned generation_ = 0;
    bool paused_ = false;
    bool shutting_down_ = false;
    bool quick_ = false;
    bool rolled_back_ = false;
    unsigned shutdown_stage_ = 0;  ///< groups up to this stage are being terminated
    int exit_status_ = 0;
    instant last_check_{};
};

}  // namespace rondo::process
