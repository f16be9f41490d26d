// SPDX-License-Identifier: Apache-2.0
#include <rondo/process/child_processes.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <exception>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <rondo/base/log.hpp>
#include <rondo/base/log_output.hpp>

namespace rondo::process {

using namespace std::chrono_literals;

namespace {
constexpr auto kill_after_grace = 5s;
constexpr auto quick_shutdown_grace = 5s;
constexpr unsigned unknown_group_stage = 1;
}  // namespace

child_processes::child_processes(const arbiter_options& options, int wakeup_fd, unique_fd& command_fd)
    : options_(options), wakeup_fd_(wakeup_fd), command_fd_(command_fd) {}
child_processes::~child_processes() = default;

void child_processes::add_group(group_options g, std::vector<handover::table>& inherited) {
    for (const child_group& group : groups_)
        if (group.options.name == g.name)
            throw std::invalid_argument("duplicate group of child processes '" + g.name + "'");
    std::optional<slot_table> table;
    auto found = std::ranges::find(inherited, g.name, &handover::table::group);
    if (found != inherited.end()) {
        table = slot_table::adopt(std::move(found->fd), g.memory);
        inherited.erase(found);
        if (!table)
            log::info(
                fmt::format("{}: the layout of the shared memory has changed; its statistics restart at 0", g.name));
    }
    if (!table) table.emplace(g.name, g.memory);
    std::size_t count = g.count;
    std::size_t before = table->target();
    groups_.push_back({std::move(g), std::move(*table), count, before, 0, 0, {}});
}

// For children of a group that only an earlier image of the program knows.
std::size_t child_processes::add_unknown_group(const std::string& name) {
    group_options g{.name = name, .count = 0, .run = nullptr, .stage = unknown_group_stage};
    groups_.push_back({std::move(g), slot_table(name, 0), 0, 0, 0, 0, {}});
    return groups_.size() - 1;
}

void child_processes::adopt(const handover::process& p, instant now) {
    child_process m{
        .pid = p.pid, .generation = p.generation, .started = now, .was_ready = true, .terminating = p.terminating};
    auto found =
        std::ranges::find_if(groups_, [&p](const child_group& group) { return group.options.name == p.group; });
    m.group = found == groups_.end() ? add_unknown_group(p.group) : static_cast<std::size_t>(found - groups_.begin());
    child_group& group = groups_[m.group];
    bool known = p.slot < slot_table::max_slots && group.table.control(p.slot).pid == p.pid;
    m.slot = known ? p.slot : slot_table::max_slots;
    if (known) group.table.mark_in_use(p.slot);
    if (!known && !m.terminating) ++group.previous_target;
    if (m.terminating) m.kill_at = now + options_.graceful_timeout + kill_after_grace;
    processes_.push_back(m);
}

slot_control* child_processes::control(const child_process& m) const noexcept {
    return m.slot < slot_table::max_slots ? &groups_[m.group].table.control(m.slot) : nullptr;
}

std::string child_processes::name(const child_process& m) const {
    const std::string& group = groups_[m.group].options.name;
    return m.slot < slot_table::max_slots ? fmt::format("{} {} (process {})", group, m.slot, m.pid)
                                          : fmt::format("{} (process {})", group, m.pid);
}

bool child_processes::is_current(const child_process& m) const noexcept {
    return !m.terminating && !m.recycling && m.generation == generation_;
}

// A group that others depend on outlives them.
bool child_processes::has_older_below(unsigned stage) const noexcept {
    return std::ranges::any_of(processes_, [&](const child_process& m) {
        return m.generation != generation_ && groups_[m.group].options.stage < stage;
    });
}

void child_processes::reconcile(instant now) {
    if (shutting_down_) return advance_shutdown(now);
    for (std::size_t g = 0; g < groups_.size(); ++g) reconcile(g, now);
}

void child_processes::reconcile(std::size_t g, instant now) {
    child_group& group = groups_[g];
    std::size_t target = paused_ ? 0 : group.target;
    group.table.set_target(target);
    auto in_group = [g](const child_process& m) { return m.group == g; };
    auto count = [&](auto predicate) {
        return static_cast<std::size_t>(
            std::ranges::count_if(processes_, [&](const child_process& m) { return in_group(m) && predicate(m); }));
    };
    std::size_t running = count([this](const child_process& m) { return is_current(m); });
    for (; running < target && now >= group.next_start && group.options.run; ++running) {
        auto slot = group.table.find_free();
        if (!slot) break;  // until a terminating child has exited
        start_child(g, *slot, now);
    }
    if (running > target) shrink(g, running - target, now);
    std::size_t ready = count([this](const child_process& m) { return is_current(m) && m.was_ready; });
    if (ready < target) return;
    group.complete_generation = generation_;
    if (has_older_below(group.options.stage)) return;
    // All older children keep serving while any group of the new generation may still fail to start.
    const bool all_ready = paused_ || is_complete();
    for (child_process& m : processes_)
        if (in_group(m) && !m.terminating && (m.recycling || (all_ready && m.generation != generation_)))
            terminate(m, now);
}

void child_processes::shrink(std::size_t g, std::size_t surplus, instant now) {
    for (; surplus > 0; --surplus) {
        child_process* last = nullptr;
        for (child_process& m : processes_)
            if (m.group == g && is_current(m) && (!last || m.slot > last->slot)) last = &m;
        if (last) terminate(*last, now);
    }
}

void child_processes::start_child(std::size_t g, std::size_t slot, instant now) {
    child_group& group = groups_[g];
    log::flush(0ms);
    log::flush_standard_streams();
    group.table.acquire(slot);
    pid_t arbiter = getpid();
    if (options_.fork_hooks) options_.fork_hooks->before_fork();
    pid_t pid = fork();
    if (pid == 0) run_child(group, slot, arbiter);
    const int error = errno;
    if (options_.fork_hooks) options_.fork_hooks->after_fork_in_parent();
    if (pid < 0) {
        log::error(fmt::format("{}: fork failed: {}", group.options.name, std::generic_category().message(error)));
        group.table.release(slot);
        group.next_start = now + 1s;
        return;
    }
    setpgid(pid, pid);
    group.table.control(slot).pid = pid;
    processes_.push_back({.pid = pid, .group = g, .slot = slot, .generation = generation_, .started = now});
    log::debug(fmt::format("{} started", name(processes_.back())));
}

// In the child. It gets its own process group: signals of the terminal go to the arbiter, which forwards them.
void child_processes::run_child(child_group& group, std::size_t slot, pid_t arbiter) {
    int status = exit_not_started;
    try {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != arbiter) _exit(status);
        if (options_.fork_hooks) options_.fork_hooks->after_fork_in_child();
        setpgid(0, 0);
        group.table.control(slot).pid = getpid();
        after_fork_in_child();
        const std::vector<child::table_entry> tables = tables_for(group, slot);
        std::vector<managed_listener> own;
        for (managed_listener& s : listeners_)
            if (s.group == group.options.name)
                own.push_back({s.group, s.key, std::move(s.fd), s.url, {}, s.externally_owned});
        listeners_.clear();
        if (!group.options.may_send_commands) command_fd_.reset();
        child self(group.options.name, slot, generation_, tables, std::move(own), wakeup_fd_, std::move(command_fd_));
        prctl(PR_SET_NAME, self.name().c_str());
        log::set_synchronous(false);
        log::set_process_name(self.name());
        status = group.options.run(self);
    } catch (const std::exception& e) {
        log::error(e.what());
    } catch (...) {
        log::error("unknown exception");
    }
    log::flush();
    log::flush_standard_streams();
    // Not exit(): static and stack objects belong to the arbiter.
    _exit(status);
}

// In the child: unmaps or closes the tables it must not use.
std::vector<child::table_entry> child_processes::tables_for(child_group& group, std::size_t slot) {
    std::vector<child::table_entry> tables;
    for (child_group& other : groups_) {
        if (group.options.isolated && &other != &group) {
            const slot_table unmapped(std::move(other.table));
            continue;
        }
        other.table.close_file();
        tables.push_back({other.options.name, &other.table});
    }
    if (group.options.isolated) group.table.restrict_to(slot);
    return tables;
}

void child_processes::terminate(child_process& m, instant now) noexcept {
    m.terminating = true;
    m.kill_at = now + (quick_ ? clock::duration(quick_shutdown_grace) : options_.graceful_timeout + kill_after_grace);
    ::kill(m.pid, quick_ ? SIGINT : SIGTERM);
}

void child_processes::scale(int by) {
    for (child_group& group : groups_) {
        if (!group.options.scalable) continue;
        auto max = static_cast<int>(control_command::max_children);
        group.target = static_cast<std::size_t>(std::clamp(static_cast<int>(group.target) + by, 1, max));
        log::info(fmt::format("{}: scaled to {}", group.options.name, group.target));
    }
}

void child_processes::scale_to(std::size_t children) {
    for (child_group& group : groups_) {
        if (!group.options.scalable) continue;
        group.target = children;
        log::info(fmt::format("{}: scaled to {}", group.options.name, group.target));
    }
}

void child_processes::shut_down(bool quick, instant now) {
    bool repeated = std::exchange(shutting_down_, true);
    quick_ = quick_ || quick || repeated;
    // A second termination signal makes a child exit quickly.
    for (child_process& m : processes_)
        if (m.terminating && quick_) terminate(m, now);
    advance_shutdown(now);
}

void child_processes::advance_shutdown(instant now) {
    while (!processes_.empty()) {
        bool in_progress = false;
        for (child_process& m : processes_) {
            if (groups_[m.group].options.stage > shutdown_stage_) continue;
            in_progress = true;
            if (!m.terminating) terminate(m, now);
        }
        if (in_progress) return;
        ++shutdown_stage_;
    }
}

void child_processes::signal_all(int signal) noexcept {
    for (const child_process& m : processes_) ::kill(m.pid, signal);
}

bool child_processes::is_complete() const noexcept {
    for (std::size_t g = 0; g < groups_.size(); ++g) {
        auto ready = std::ranges::count_if(
            processes_, [&](const child_process& m) { return m.group == g && is_current(m) && m.was_ready; });
        if (static_cast<std::size_t>(ready) < groups_[g].target) return false;
    }
    return true;
}

bool child_processes::has_older() const noexcept {
    return std::ranges::any_of(
        processes_, [this](const child_process& m) { return !m.terminating && m.generation != generation_; });
}

bool child_processes::has_older_accepting() const noexcept {
    return std::ranges::any_of(processes_, [this](const child_process& m) {
        const slot_control* c = control(m);
        return m.generation != generation_ && (!m.terminating || (c && c->state != child_state::draining));
    });
}

bool child_processes::is_accepting(std::string_view group) const noexcept {
    return std::ranges::any_of(processes_, [&](const child_process& m) {
        const slot_control* c = control(m);
        return groups_[m.group].options.name == group && c && c->state == child_state::serving;
    });
}

bool child_processes::stops_first(std::string_view group) const noexcept {
    return std::ranges::any_of(groups_, [group](const child_group& candidate) {
        return candidate.options.name == group && candidate.options.stage == 0;
    });
}

void child_processes::add_to_handover(handover& to) const {
    to.generation = generation_;
    for (const child_group& group : groups_) to.tables.push_back({group.options.name, duplicate(group.table.fd())});
    for (const child_process& m : processes_)
        to.children.push_back({m.pid, m.generation, m.slot, m.terminating, groups_[m.group].options.name});
}

std::string child_processes::summary() const {
    std::string text;
    for (const child_group& group : groups_)
        text += fmt::format("{}{} {}", text.empty() ? "" : ", ", group.target, group.options.name);
    return text;
}

}  // namespace rondo::process
