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

constexpr auto look_interval = 1s;
constexpr auto short_life = 10s;
constexpr backoff restart{250ms, 30s};
constexpr auto stack_patience = 3s;

std::string how_it_ended(int status) {
    if (WIFEXITED(status)) return fmt::format("exited with status {}", WEXITSTATUS(status));
    return fmt::format("was killed by signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)));
}

std::string_view text_of(wish w) {
    switch (w) {
        case wish::requests: return "reached max-requests";
        case wish::memory: return "memory above max-rss";
        case wish::age: return "older than max-age";
        case wish::none: break;
    }
    return "unknown reason";
}

long seconds(clock::duration d) {
    return static_cast<long>(std::chrono::duration_cast<std::chrono::seconds>(d).count());
}

// `ns` was written by a child, so it may be any value.
instant instant_of(std::int64_t ns) {
    return instant(
        std::chrono::duration_cast<clock::duration>(std::chrono::nanoseconds(std::max<std::int64_t>(ns, 0))));
}

}  // namespace

instant family::due(instant now) const noexcept {
    instant at = now + look_interval;
    for (const member& m : members_) {
        at = std::min(at, m.kill_at);
        // A pending stack dump is polled more often.
        if (m.stacks_asked != instant::max()) at = std::min(at, now + 50ms);
    }
    for (const kin& k : groups_)
        if (k.next_start > now) at = std::min(at, k.next_start);
    return std::max(at, now);
}

void family::look(instant now) {
    // After the machine or this process was suspended, children get time to send heartbeats again.
    bool late = last_look_ != instant() && now - last_look_ > 3 * look_interval;
    last_look_ = now;
    for (std::size_t i = 0; i < members_.size(); ++i) {
        look(members_[i], now);
        if (!late) look_at_life(members_[i], now);
    }
}

void family::look(member& m, instant now) {
    if (m.kill_at <= now && !m.killed) {
        kill(m, "did not exit in time; killing it");
    }
    const slot_control* c = control(m);
    if (!c || m.leaving) return;
    if (!m.was_ready && c->at == life::serving) {
        m.was_ready = true;
        log::debug(fmt::format("{} is ready", name(m)));
    }
    wish why = c->asks;
    if (why == wish::none || m.tired || being_replaced(m.group) >= groups_[m.group].target) return;
    m.tired = true;
    log::info(fmt::format("recycling {}: {}", name(m), text_of(why)));
}

// Terminating children count too: with low limits, replacements must not pile up.
std::size_t family::being_replaced(std::size_t g) const noexcept {
    return static_cast<std::size_t>(
        std::ranges::count_if(members_, [g](const member& m) { return m.group == g && (m.tired || m.leaving); }));
}

std::string family::hangs(const member& m, instant now) const {
    const slot_control& c = *control(m);
    if (!m.was_ready) {
        if (now - m.started < options_.boot_timeout) return {};
        return fmt::format("did not become ready within {} s (boot-timeout)", seconds(options_.boot_timeout));
    }
    if (options_.timeout == 0ms || c.beat_ns == c.started_ns) return {};
    if (now - instant_of(c.beat_ns) > options_.timeout)
        return fmt::format("has sent no heartbeat for {} s (timeout)", seconds(options_.timeout));
    std::int64_t turn = c.turn_began_ns;
    if (turn && now - instant_of(turn) > options_.timeout)
        return fmt::format("has been blocked for more than {} s (timeout)", seconds(options_.timeout));
    return {};
}

void family::look_at_life(member& m, instant now) {
    slot_control* c = control(m);
    if (!c || m.killed) return;
    if (m.stacks_asked != instant::max()) {
        if (c->stacks_told == c->stacks_wanted) kill(m, "has logged its thread stacks; killing it");
        else if (now - m.stacks_asked > stack_patience) kill(m, "did not log its thread stacks in time; killing it");
        return;
    }
    // A draining child is limited by kill_at.
    if (m.leaving) return;
    if (std::string why = hangs(m, now); !why.empty()) give_up(m, why, now);
}

void family::give_up(member& m, const std::string& why, instant now) {
    log::error(fmt::format("{} {}", name(m), why));
    ++control(m)->stacks_wanted;
    m.stacks_asked = now;
}

void family::kill(member& m, std::string_view why) {
    log::error(fmt::format("{} {}", name(m), why));
    m.killed = true;
    ::kill(m.pid, SIGKILL);
}

bool family::reaped(pid_t pid, int status, instant now) {
    auto found = std::ranges::find(members_, pid, &member::pid);
    if (found == members_.end()) return false;
    look(*found, now);  // it may have become ready before it exited
    member m = *found;
    members_.erase(found);
    if (m.slot < slot_table::most_slots) groups_[m.group].table.release(m.slot);
    mourn(m, status, now);
    return true;
}

void family::mourn(const member& m, int status, instant now) {
    kin& k = groups_[m.group];
    // A child that has not installed its handlers yet, or has removed them again, dies of the termination signal.
    bool by_request = WIFSIGNALED(status) && (WTERMSIG(status) == SIGTERM || WTERMSIG(status) == SIGINT);
    bool clean = WIFEXITED(status) ? WEXITSTATUS(status) == 0 : m.leaving && !m.killed && by_request;
    if (m.leaving) {
        if (!clean && ending_) status_ = std::max(status_, 1);
        log::write(clean ? log::level::debug : log::level::warning,
                   fmt::format("{} {}", name(m), how_it_ended(status)));
        return;
    }
    if (ending_) return;
    if (!k.what.run && k.target > 0) --k.target;  // it cannot be replaced
    log::error(fmt::format("{} {}{}", name(m), how_it_ended(status), WCOREDUMP(status) ? ", core dumped" : ""));
    if (!m.was_ready) not_started(m, now);
    // The first crash is followed by an immediate restart, further ones by a growing delay.
    k.failures = now - m.started < short_life ? k.failures + 1 : 1;
    const clock::duration pause = restart.after(k.failures - 1);
    k.next_start = now + pause;
    if (pause >= 1s)
        log::warning(
            fmt::format("{}: {} crashes in a row; restarting in {} s", k.what.name, k.failures, seconds(pause)));
}

void family::not_started(const member& m, instant now) {
    kin& k = groups_[m.group];
    if (m.generation != generation_ || k.complete == generation_) return;
    bool older = std::ranges::any_of(
        members_, [this](const member& other) { return !other.leaving && other.generation != generation_; });
    if (older) return keep_older(m.group, now);
    log::error(fmt::format("{} failed to start; shutting down", name(m)));
    status_ = exit_not_started;
    end(true, now);
}

// The new generation failed to start: the previous one becomes current again.
void family::keep_older(std::size_t g, instant now) {
    log::error(fmt::format("reload failed: the new {} did not start; the old one keeps serving", groups_[g].what.name));
    kept_older_ = true;
    for (member& m : members_) {
        if (m.leaving) continue;
        if (m.generation == generation_) tell_to_leave(m, now);
        else m.generation = generation_;
    }
    for (kin& k : groups_) {
        k.complete = generation_;
        k.target = k.before;
    }
}

}  // namespace rondo::process
