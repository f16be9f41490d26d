// SPDX-License-Identifier: Apache-2.0
// Monitoring of child processes: readiness, heartbeats, timeouts and exits.
#include <algorithm>
#include <csignal>
#include <cstring>
#include <system_error>

#include <fmt/format.h>
#include <sys/wait.h>

#include <rondo/base/backoff.hpp>
#include <rondo/base/log.hpp>
#include <rondo/process/child_processes.hpp>

namespace rondo::process {

using namespace std::chrono_literals;

namespace {

constexpr auto check_interval = 1s;
constexpr auto min_healthy_uptime = 10s;
constexpr backoff restart{250ms, 30s};
constexpr auto stack_dump_timeout = 3s;

std::string exit_text(int status) {
    if (WIFEXITED(status)) return fmt::format("exited with status {}", WEXITSTATUS(status));
    return fmt::format("was killed by signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)));
}

std::string_view recycle_reason_text(recycle_reason reason) {
    switch (reason) {
        case recycle_reason::requests: return "reached max-requests";
        case recycle_reason::memory: return "memory above max-rss";
        case recycle_reason::age: return "older than max-age";
        case recycle_reason::none: break;
    }
    return "unknown reason";
}

long seconds(clock::duration d) {
    return static_cast<long>(std::chrono::duration_cast<std::chrono::seconds>(d).count());
}

// `ns` was written by a child, so it may be any value.
instant to_instant(std::int64_t ns) {
    return instant(
        std::chrono::duration_cast<clock::duration>(std::chrono::nanoseconds(std::max<std::int64_t>(ns, 0))));
}

}  // namespace

instant child_processes::next_check(instant now) const noexcept {
    instant at = now + check_interval;
    for (const child_process& m : processes_) {
        at = std::min(at, m.kill_at);
        // A pending stack dump is polled more often.
        if (m.stack_dump_requested_at != instant::max()) at = std::min(at, now + 50ms);
    }
    for (const child_group& group : groups_)
        if (group.next_start > now) at = std::min(at, group.next_start);
    return std::max(at, now);
}

void child_processes::check(instant now) {
    // After the machine or this process was suspended, children get time to send heartbeats again.
    bool late = last_check_ != instant() && now - last_check_ > 3 * check_interval;
    last_check_ = now;
    for (std::size_t i = 0; i < processes_.size(); ++i) {
        check(processes_[i], now);
        if (!late) check_heartbeat(processes_[i], now);
    }
}

void child_processes::check(child_process& m, instant now) {
    if (m.kill_at <= now && !m.killed) {
        kill(m, "did not exit in time; killing it");
    }
    const slot_control* c = control(m);
    if (!c || m.terminating) return;
    if (!m.was_ready && c->state == child_state::serving) {
        m.was_ready = true;
        log::debug(fmt::format("{} is ready", name(m)));
    }
    recycle_reason reason = c->recycle_requested;
    if (reason == recycle_reason::none || m.recycling || replacement_count(m.group) >= groups_[m.group].target) return;
    m.recycling = true;
    log::info(fmt::format("recycling {}: {}", name(m), recycle_reason_text(reason)));
}

// Terminating children count too: with low limits, replacements must not pile up.
std::size_t child_processes::replacement_count(std::size_t g) const noexcept {
    return static_cast<std::size_t>(std::ranges::count_if(
        processes_, [g](const child_process& m) { return m.group == g && (m.recycling || m.terminating); }));
}

std::string child_processes::hang_reason(const child_process& m, instant now) const {
    const slot_control& c = *control(m);
    if (!m.was_ready) {
        if (now - m.started < options_.boot_timeout) return {};
        return fmt::format("did not become ready within {} s (boot-timeout)", seconds(options_.boot_timeout));
    }
    if (options_.timeout == 0ms || c.heartbeat_ns == c.started_ns) return {};
    if (now - to_instant(c.heartbeat_ns) > options_.timeout)
        return fmt::format("has sent no heartbeat for {} s (timeout)", seconds(options_.timeout));
    std::int64_t turn = c.turn_started_ns;
    if (turn && now - to_instant(turn) > options_.timeout)
        return fmt::format("has been blocked for more than {} s (timeout)", seconds(options_.timeout));
    return {};
}

void child_processes::check_heartbeat(child_process& m, instant now) {
    slot_control* c = control(m);
    if (!c || m.killed) return;
    if (m.stack_dump_requested_at != instant::max()) {
        if (c->stack_dumps_done == c->stack_dumps_requested) kill(m, "has logged its thread stacks; killing it");
        else if (now - m.stack_dump_requested_at > stack_dump_timeout)
            kill(m, "did not log its thread stacks in time; killing it");
        return;
    }
    // A draining child is limited by kill_at.
    if (m.terminating) return;
    if (std::string reason = hang_reason(m, now); !reason.empty()) request_stack_dump(m, reason, now);
}

void child_processes::request_stack_dump(child_process& m, const std::string& reason, instant now) {
    log::error(fmt::format("{} {}", name(m), reason));
    ++control(m)->stack_dumps_requested;
    m.stack_dump_requested_at = now;
}

void child_processes::kill(child_process& m, std::string_view reason) {
    log::error(fmt::format("{} {}", name(m), reason));
    m.killed = true;
    ::kill(m.pid, SIGKILL);
}

bool child_processes::on_reaped(pid_t pid, int status, instant now) {
    auto found = std::ranges::find(processes_, pid, &child_process::pid);
    if (found == processes_.end()) return false;
    check(*found, now);  // it may have become ready before it exited
    child_process m = *found;
    processes_.erase(found);
    if (m.slot < slot_table::max_slots) groups_[m.group].table.release(m.slot);
    on_exit(m, status, now);
    return true;
}

void child_processes::on_exit(const child_process& m, int status, instant now) {
    child_group& group = groups_[m.group];
    // A child that has not installed its handlers yet, or has removed them again, dies of the termination signal.
    bool by_request = WIFSIGNALED(status) && (WTERMSIG(status) == SIGTERM || WTERMSIG(status) == SIGINT);
    bool clean = WIFEXITED(status) ? WEXITSTATUS(status) == 0 : m.terminating && !m.killed && by_request;
    if (m.terminating) {
        if (!clean && shutting_down_) exit_status_ = std::max(exit_status_, 1);
        log::write(clean ? log::level::debug : log::level::warning, fmt::format("{} {}", name(m), exit_text(status)));
        return;
    }
    if (shutting_down_) return;
    if (!group.options.run && group.target > 0) --group.target;  // it cannot be replaced
    log::error(fmt::format("{} {}{}", name(m), exit_text(status), WCOREDUMP(status) ? ", core dumped" : ""));
    if (!m.was_ready) on_start_failure(m, now);
    // The first crash is followed by an immediate restart, further ones by a growing delay.
    group.consecutive_crashes = now - m.started < min_healthy_uptime ? group.consecutive_crashes + 1 : 1;
    const clock::duration pause = restart.after(group.consecutive_crashes - 1);
    group.next_start = now + pause;
    if (pause >= 1s)
        log::warning(fmt::format("{}: {} crashes in a row; restarting in {} s", group.options.name,
                                 group.consecutive_crashes, seconds(pause)));
}

void child_processes::on_start_failure(const child_process& m, instant now) {
    child_group& group = groups_[m.group];
    if (m.generation != generation_ || group.complete_generation == generation_) return;
    bool older = std::ranges::any_of(processes_, [this](const child_process& other) {
        return !other.terminating && other.generation != generation_;
    });
    if (older) return roll_back(m.group, now);
    log::error(fmt::format("{} failed to start; shutting down", name(m)));
    exit_status_ = exit_not_started;
    shut_down(true, now);
}

// The new generation failed to start: the previous one becomes current again.
void child_processes::roll_back(std::size_t g, instant now) {
    log::error(
        fmt::format("reload failed: the new {} did not start; the old one keeps serving", groups_[g].options.name));
    rolled_back_ = true;
    for (child_process& m : processes_) {
        if (m.terminating) continue;
        if (m.generation == generation_) terminate(m, now);
        else m.generation = generation_;
    }
    for (child_group& group : groups_) {
        group.complete_generation = generation_;
        group.target = group.previous_target;
    }
}

}  // namespace rondo::process
