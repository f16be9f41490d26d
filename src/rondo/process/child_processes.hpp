// SPDX-License-Identifier: Apache-2.0
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

/// A child process as the arbiter sees it.
struct member {
    pid_t pid = 0;
    std::size_t group = 0;    ///< index
    std::size_t slot = 0;     ///< slot_table::most_slots when it has none that this image knows
    unsigned generation = 0;  ///< of the image that started it
    instant started{};
    instant kill_at = instant::max();
    instant stacks_asked = instant::max();
    bool was_ready = false;
    bool leaving = false;  ///< it was told to end
    bool tired = false;    ///< it is to be replaced
    bool killed = false;
};

/// The children of an arbiter: who lives, who is due, who has to go.
class family {
public:
    /// `orders` is what children give orders through; both must outlive this.
    family(const arbiter_options& options, int notify, unique_fd& orders);
    ~family();

    void add(group g, std::vector<inheritance::table>& inherited);
    /// A child that an earlier image started. Those of a group that is gone end when the workers of that image, whom
    /// they may serve, have ended.
    void adopt(const inheritance::process& p, instant now);
    void keep(kept_socket s) { sockets_.push_back(std::move(s)); }

    /// Children from now on are of this generation; older ones go when it is complete.
    void begin_generation(unsigned n) noexcept { generation_ = n; }
    [[nodiscard]] unsigned generation() const noexcept { return generation_; }
    /// Called in a child before anything else.
    std::function<void()> in_child;

    /// Starts who is missing, and tells who is superfluous to end.
    void settle(instant now);
    /// Looks at the slots: who has become ready, who hangs, who has had enough time.
    void look(instant now);
    /// waitpid() gave this. False when the process is no child of this family.
    bool reaped(pid_t pid, int status, instant now);
    /// When to look again at the latest.
    [[nodiscard]] instant due(instant now) const noexcept;

    void scale(int by);
    void scale_to(std::size_t children);
    /// No children until they are wanted again.
    void pause(bool on) noexcept { paused_ = on; }
    [[nodiscard]] bool paused() const noexcept { return paused_; }
    void end(bool quick, instant now);
    [[nodiscard]] bool ending() const noexcept { return ending_; }
    void tell_all(int signal) noexcept;

    [[nodiscard]] bool empty() const noexcept { return members_.empty(); }
    [[nodiscard]] std::size_t size() const noexcept { return members_.size(); }
    /// The children of this generation did not start, so that those of the one before serve on.
    [[nodiscard]] bool kept_older() const noexcept { return kept_older_; }
    /// Everybody wanted serves.
    [[nodiscard]] bool complete() const noexcept;
    /// There are children of an earlier generation that were not told to end.
    [[nodiscard]] bool older() const noexcept;
    /// There are children of an earlier generation that may accept connections.
    [[nodiscard]] bool older_accept() const noexcept;
    /// A child of this group may accept connections.
    [[nodiscard]] bool accepts(std::string_view group) const noexcept;
    /// The children of this group end before those who serve them.
    [[nodiscard]] bool ends_first(std::string_view group) const noexcept;
    /// 0, or the exit status for what went wrong.
    [[nodiscard]] int status() const noexcept { return status_; }

    [[nodiscard]] std::vector<kept_socket>& sockets() noexcept { return sockets_; }
    [[nodiscard]] const std::vector<kept_socket>& sockets() const noexcept { return sockets_; }
    /// What the next image has to know.
    void leave(inheritance& to) const;
    /// "4 workers ready": for the service manager.
    [[nodiscard]] std::string summary() const;

private:
    struct kin {
        group what;
        slot_table table;
        std::size_t target = 0;
        std::size_t before = 0;  ///< children that the image before this one wanted
        unsigned complete = 0;   ///< the last generation of which all were ready
        int failures = 0;        ///< children in a row that did not live long
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
    unsigned stage_ = 0;  ///< of the groups that are being ended
    int status_ = 0;
    instant last_look_{};
};

}  // namespace rondo::process
