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
struct member {
    pid_t pid = 0;
    std::size_t group = 0;    ///< index
    std::size_t slot = 0;     ///< slot_table::max_slots when unknown to this image
    unsigned generation = 0;  ///< of the image that started it
    instant started{};
    instant kill_at = instant::max();
    instant stacks_asked = instant::max();
    bool was_ready = false;
    bool leaving = false;  ///< a termination signal was sent
    bool tired = false;    ///< a replacement was requested
    bool killed = false;
};

/// All child processes of an arbiter, and the target they are reconciled with.
class family {
public:
    /// `command_fd` is the write end through which children send commands. `options` and `command_fd` must outlive this
    /// object.
    family(const arbiter_options& options, int wakeup_fd, unique_fd& command_fd);
    ~family();

    void add(group g, std::vector<inheritance::table>& inherited);
    /// Takes over a child of an earlier image. Children of a group that no longer exists are terminated after the
    /// workers of that image, which may depend on them.
    void adopt(const inheritance::process& p, instant now);
    void keep(kept_socket s) { sockets_.push_back(std::move(s)); }

    /// Sets the generation of new children. Older children are terminated once the generation is complete.
    void begin_generation(unsigned n) noexcept { generation_ = n; }
    [[nodiscard]] unsigned generation() const noexcept { return generation_; }
    /// Called first in every forked child.
    std::function<void()> in_child;

    /// Starts missing children and terminates surplus ones.
    void settle(instant now);
    /// Reads the slots: detects children that became ready, hang, or exceeded their time to exit.
    void look(instant now);
    /// Handles a result of waitpid(). Returns false when the process is not one of these children.
    bool reaped(pid_t pid, int status, instant now);
    /// Latest time of the next check().
    [[nodiscard]] instant due(instant now) const noexcept;

    void scale(int by);
    void scale_to(std::size_t children);
    /// While paused the target of every group is 0.
    void pause(bool on) noexcept { paused_ = on; }
    [[nodiscard]] bool paused() const noexcept { return paused_; }
    void end(bool quick, instant now);
    [[nodiscard]] bool ending() const noexcept { return ending_; }
    void tell_all(int signal) noexcept;

    [[nodiscard]] bool empty() const noexcept { return members_.empty(); }
    [[nodiscard]] std::size_t size() const noexcept { return members_.size(); }
    /// True when the children of this generation failed to start and those of the previous one keep serving.
    [[nodiscard]] bool kept_older() const noexcept { return kept_older_; }
    /// True when every group has reached its target with ready children of this generation.
    [[nodiscard]] bool complete() const noexcept;
    /// True while children of an earlier generation run that are not being terminated.
    [[nodiscard]] bool older() const noexcept;
    /// True while a child of an earlier generation may accept connections.
    [[nodiscard]] bool older_accept() const noexcept;
    /// True while a child of this group may accept connections.
    [[nodiscard]] bool accepts(std::string_view group) const noexcept;
    /// True when the children of this group stop in the first stage, before those they depend on.
    [[nodiscard]] bool ends_first(std::string_view group) const noexcept;
    /// 0, or the exit status of the arbiter after a failure.
    [[nodiscard]] int status() const noexcept { return status_; }

    [[nodiscard]] std::vector<kept_socket>& sockets() noexcept { return sockets_; }
    [[nodiscard]] const std::vector<kept_socket>& sockets() const noexcept { return sockets_; }
    /// Adds the slot tables and the children to the state handed to the next image.
    void leave(inheritance& to) const;
    /// "4 worker, 1 control": target and name of each group, for the service manager.
    [[nodiscard]] std::string summary() const;

private:
    struct kin {
        group what;
        slot_table table;
        std::size_t target = 0;
        std::size_t before = 0;  ///< target of the previous image
        unsigned complete = 0;   ///< last generation that reached its target
        int failures = 0;        ///< consecutive children that exited early
        instant next_start{};
    };

    [[nodiscard]] std::size_t group_gone(const std::string& name);
    void settle(std::size_t g, instant now);
    void start(std::size_t g, std::size_t slot, instant now);
    [[noreturn]] void become(kin& k, std::size_t slot, pid_t arbiter);
    [[nodiscard]] std::vector<child::table_entry> tables_for(kin& k, std::size_t slot);
    [[nodiscard]] bool current(const member& m) const noexcept;
    [[nodiscard]] bool older_below(unsigned stage) const noexcept;
    void tell_to_leave(member& m, instant now) noexcept;
    void shrink(std::size_t g, std::size_t surplus, instant now);
    void next_stage(instant now);

    void look(member& m, instant now);
    void look_at_life(member& m, instant now);
    [[nodiscard]] std::size_t being_replaced(std::size_t g) const noexcept;
    [[nodiscard]] std::string hangs(const member& m, instant now) const;
    void give_up(member& m, const std::string& why, instant now);
    void kill(member& m, std::string_view why);
    void mourn(const member& m, int status, instant now);
    void not_started(const member& m, instant now);
    void keep_older(std::size_t g, instant now);
    [[nodiscard]] slot_control* control(const member& m) const noexcept;
    [[nodiscard]] std::string name(const member& m) const;

    const arbiter_options& options_;
    int notify_;
    unique_fd& orders_;
    std::vector<kin> groups_;
    std::vector<member> members_;
    std::vector<kept_socket> sockets_;
    unsigned generation_ = 0;
    bool paused_ = false;
    bool ending_ = false;
    bool quick_ = false;
    bool kept_older_ = false;
    unsigned stage_ = 0;  ///< groups up to this stage are being terminated
    int status_ = 0;
    instant last_look_{};
};

}  // namespace rondo::process
