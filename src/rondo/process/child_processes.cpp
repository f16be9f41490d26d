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
constexpr auto quick_grace = 5s;
constexpr unsigned stage_of_strangers = 1;
}  // namespace

family::family(const arbiter_options& options, int wakeup_fd, unique_fd& command_fd)
    : options_(options), notify_(wakeup_fd), orders_(command_fd) {}
family::~family() = default;

void family::add(group g, std::vector<inheritance::table>& inherited) {
    for (const kin& k : groups_)
        if (k.what.name == g.name) throw std::invalid_argument("duplicate group of child processes '" + g.name + "'");
    std::optional<slot_table> table;
    auto found = std::ranges::find(inherited, g.name, &inheritance::table::group);
    if (found != inherited.end()) {
        table = slot_table::adopt(std::move(found->fd), g.memory);
        inherited.erase(found);
        if (!table)
            log::info(
                fmt::format("{}: the layout of the shared memory has changed; its statistics restart at 0", g.name));
    }
    if (!table) table.emplace(g.name, g.memory);
    std::size_t count = g.count;
    std::size_t before = table->wanted();
    groups_.push_back({std::move(g), std::move(*table), count, before, 0, 0, {}});
}

// For children of a group that only an earlier image of the program knows.
std::size_t family::group_gone(const std::string& name) {
    group g{.name = name, .count = 0, .run = nullptr, .stage = stage_of_strangers};
    groups_.push_back({std::move(g), slot_table(name, 0), 0, 0, 0, 0, {}});
    return groups_.size() - 1;
}

void family::adopt(const inheritance::process& p, instant now) {
    member m{.pid = p.pid, .generation = p.generation, .started = now, .was_ready = true, .leaving = p.leaving};
    auto found = std::ranges::find_if(groups_, [&p](const kin& k) { return k.what.name == p.group; });
    m.group = found == groups_.end() ? group_gone(p.group) : static_cast<std::size_t>(found - groups_.begin());
    kin& k = groups_[m.group];
    bool known = p.slot < slot_table::most_slots && k.table.control(p.slot).pid == p.pid;
    m.slot = known ? p.slot : slot_table::most_slots;
    if (known) k.table.keep_taken(p.slot);
    if (!known && !m.leaving) ++k.before;
    if (m.leaving) m.kill_at = now + options_.graceful_timeout + kill_after_grace;
    members_.push_back(m);
}

slot_control* family::control(const member& m) const noexcept {
    return m.slot < slot_table::most_slots ? &groups_[m.group].table.control(m.slot) : nullptr;
}

std::string family::name(const member& m) const {
    const std::string& group = groups_[m.group].what.name;
    return m.slot < slot_table::most_slots ? fmt::format("{} {} (process {})", group, m.slot, m.pid)
                                           : fmt::format("{} (process {})", group, m.pid);
}

bool family::current(const member& m) const noexcept { return !m.leaving && !m.tired && m.generation == generation_; }

// A group that others depend on outlives them.
bool family::older_below(unsigned stage) const noexcept {
    return std::ranges::any_of(
        members_, [&](const member& m) { return m.generation != generation_ && groups_[m.group].what.stage < stage; });
}

void family::settle(instant now) {
    if (ending_) return next_stage(now);
    for (std::size_t g = 0; g < groups_.size(); ++g) settle(g, now);
}

void family::settle(std::size_t g, instant now) {
    kin& k = groups_[g];
    std::size_t target = paused_ ? 0 : k.target;
    k.table.want(target);
    auto in_group = [g](const member& m) { return m.group == g; };
    auto count = [&](auto predicate) {
        return static_cast<std::size_t>(
            std::ranges::count_if(members_, [&](const member& m) { return in_group(m) && predicate(m); }));
    };
    std::size_t running = count([this](const member& m) { return current(m); });
    for (; running < target && now >= k.next_start && k.what.run; ++running) {
        auto slot = k.table.unused();
        if (!slot) break;  // until a terminating child has exited
        start(g, *slot, now);
    }
    if (running > target) shrink(g, running - target, now);
    std::size_t ready = count([this](const member& m) { return current(m) && m.was_ready; });
    if (ready < target) return;
    k.complete = generation_;
    if (older_below(k.what.stage)) return;
    // All older children keep serving while any group of the new generation may still fail to start.
    const bool all_ready = paused_ || complete();
    for (member& m : members_)
        if (in_group(m) && !m.leaving && (m.tired || (all_ready && m.generation != generation_))) tell_to_leave(m, now);
}

void family::shrink(std::size_t g, std::size_t surplus, instant now) {
    for (; surplus > 0; --surplus) {
        member* last = nullptr;
        for (member& m : members_)
            if (m.group == g && current(m) && (!last || m.slot > last->slot)) last = &m;
        if (last) tell_to_leave(*last, now);
    }
}

void family::start(std::size_t g, std::size_t slot, instant now) {
    kin& k = groups_[g];
    log::flush(0ms);
    log::flush_standard_streams();
    k.table.take(slot);
    pid_t arbiter = getpid();
    pid_t pid = fork();
    if (pid == 0) become(k, slot, arbiter);
    if (pid < 0) {
        log::error(fmt::format("{}: fork failed: {}", k.what.name, std::generic_category().message(errno)));
        k.table.release(slot);
        k.next_start = now + 1s;
        return;
    }
    setpgid(pid, pid);
    k.table.control(slot).pid = pid;
    members_.push_back({.pid = pid, .group = g, .slot = slot, .generation = generation_, .started = now});
    log::debug(fmt::format("{} started", name(members_.back())));
}

// In the child. It gets its own process group: signals of the terminal go to the arbiter, which forwards them.
void family::become(kin& k, std::size_t slot, pid_t arbiter) {
    int status = exit_not_started;
    try {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != arbiter) _exit(status);
        setpgid(0, 0);
        k.table.control(slot).pid = getpid();
        in_child();
        const std::vector<child::table_entry> tables = tables_for(k, slot);
        std::vector<kept_socket> own;
        for (kept_socket& s : sockets_)
            if (s.group == k.what.name) own.push_back({s.group, s.key, std::move(s.fd), s.url, {}, s.foreign});
        sockets_.clear();
        if (!k.what.commands) orders_.reset();
        child self(k.what.name, slot, generation_, tables, std::move(own), notify_, std::move(orders_));
        prctl(PR_SET_NAME, self.name().c_str());
        log::on_calling_thread(false);
        log::process_name(self.name());
        status = k.what.run(self);
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
std::vector<child::table_entry> family::tables_for(kin& k, std::size_t slot) {
    std::vector<child::table_entry> tables;
    for (kin& other : groups_) {
        if (k.what.isolated && &other != &k) {
            const slot_table unmapped(std::move(other.table));
            continue;
        }
        other.table.close_file();
        tables.push_back({other.what.name, &other.table});
    }
    if (k.what.isolated) k.table.keep_only(slot);
    return tables;
}

void family::tell_to_leave(member& m, instant now) noexcept {
    m.leaving = true;
    m.kill_at = now + (quick_ ? clock::duration(quick_grace) : options_.graceful_timeout + kill_after_grace);
    ::kill(m.pid, quick_ ? SIGINT : SIGTERM);
}

void family::scale(int by) {
    for (kin& k : groups_) {
        if (!k.what.scales) continue;
        auto max = static_cast<int>(order::most_children);
        k.target = static_cast<std::size_t>(std::clamp(static_cast<int>(k.target) + by, 1, max));
        log::info(fmt::format("{}: scaled to {}", k.what.name, k.target));
    }
}

void family::scale_to(std::size_t children) {
    for (kin& k : groups_) {
        if (!k.what.scales) continue;
        k.target = children;
        log::info(fmt::format("{}: scaled to {}", k.what.name, k.target));
    }
}

void family::end(bool quick, instant now) {
    bool again = std::exchange(ending_, true);
    quick_ = quick_ || quick || again;
    // A second termination signal makes a child exit quickly.
    for (member& m : members_)
        if (m.leaving && quick_) tell_to_leave(m, now);
    next_stage(now);
}

void family::next_stage(instant now) {
    while (!members_.empty()) {
        bool in_progress = false;
        for (member& m : members_) {
            if (groups_[m.group].what.stage > stage_) continue;
            in_progress = true;
            if (!m.leaving) tell_to_leave(m, now);
        }
        if (in_progress) return;
        ++stage_;
    }
}

void family::tell_all(int signal) noexcept {
    for (const member& m : members_) ::kill(m.pid, signal);
}

bool family::complete() const noexcept {
    for (std::size_t g = 0; g < groups_.size(); ++g) {
        auto ready =
            std::ranges::count_if(members_, [&](const member& m) { return m.group == g && current(m) && m.was_ready; });
        if (static_cast<std::size_t>(ready) < groups_[g].target) return false;
    }
    return true;
}

bool family::older() const noexcept {
    return std::ranges::any_of(members_, [this](const member& m) { return !m.leaving && m.generation != generation_; });
}

bool family::older_accept() const noexcept {
    return std::ranges::any_of(members_, [this](const member& m) {
        const slot_control* c = control(m);
        return m.generation != generation_ && (!m.leaving || (c && c->at != life::draining));
    });
}

bool family::accepts(std::string_view group) const noexcept {
    return std::ranges::any_of(members_, [&](const member& m) {
        const slot_control* c = control(m);
        return groups_[m.group].what.name == group && c && c->at == life::serving;
    });
}

bool family::ends_first(std::string_view group) const noexcept {
    return std::ranges::any_of(groups_, [group](const kin& k) { return k.what.name == group && k.what.stage == 0; });
}

void family::leave(inheritance& to) const {
    to.generation = generation_;
    for (const kin& k : groups_) to.tables.push_back({k.what.name, duplicate(k.table.fd())});
    for (const member& m : members_)
        to.children.push_back({m.pid, m.generation, m.slot, m.leaving, groups_[m.group].what.name});
}

std::string family::summary() const {
    std::string text;
    for (const kin& k : groups_) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", k.target, k.what.name);
    return text;
}

}  // namespace rondo::process
