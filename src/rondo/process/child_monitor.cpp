// SPDX-License-Identifier: Apache-2.0
// The part of a family that looks after its members: who lives, hangs, has died.
#include <algorithm>
#include <csignal>
#include <cstring>
#include <system_error>

#include <fmt/format.h>
#include <sys/wait.h>

#include <rondo/base/log.hpp>
#include <rondo/process/child_processes.hpp>

namespace rondo::process {

using namespace std::chrono_literals;

namespace {

constexpr auto look_interval = 1s;
constexpr auto short_life = 10s;
constexpr auto longest_pause = 30s;
constexpr auto stack_patience = 3s;

std::string how_it_ended(int status) {
    if (WIFEXITED(status)) return fmt::format("ended with status {}", WEXITSTATUS(status));
    return fmt::format("was ended by signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)));
}

std::string_view text_of(wish w) {
    switch (w) {
        case wish::requests: return "it has served max-requests";
        case wish::memory: return "it has more memory than max-rss";
        case wish::age: return "it is older than max-age";
        case wish::none: break;
    }
    return "it asks for it, and says nothing that is known";
}

long seconds(clock::duration d) {
    return static_cast<long>(std::chrono::duration_cast<std::chrono::seconds>(d).count());
}

// A child wrote it, who may write anything.
instant instant_of(std::int64_t ns) {
    return instant(
        std::chrono::duration_cast<clock::duration>(std::chrono::nanoseconds(std::max<std::int64_t>(ns, 0))));
}

}  // namespace

instant family::due(instant now) const noexcept {
    instant at = now + look_interval;
    for (const member& m : members_) {
        at = std::min(at, m.kill_at);
        // Who is told about its stacks is looked at closely.
        if (m.stacks_asked != instant::max()) at = std::min(at, now + 50ms);
    }
    for (const kin& k : groups_)
        if (k.next_start > now) at = std::min(at, k.next_start);
    return std::max(at, now);
}

void family::look(instant now) {
    // After a stop of the whole machine, or of this process, everybody gets the time to show signs of life.
    bool late = last_look_ != instant() && now - last_look_ > 3 * look_interval;
    last_look_ = now;
    for (std::size_t i = 0; i < members_.size(); ++i) {
        look(members_[i], now);
        if (!late) look_at_life(members_[i], now);
    }
}

void family::look(member& m, instant now) {
    if (m.kill_at <= now && !m.killed) {
        kill(m, "did not end in time and is killed");
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
    log::info(fmt::format("{} is replaced: {}", name(m), text_of(why)));
}

// Children whose limits are low must not become many at once: those that end are counted too.
std::size_t family::being_replaced(std::size_t g) const noexcept {
    return static_cast<std::size_t>(
        std::ranges::count_if(members_, [g](const member& m) { return m.group == g && (m.tired || m.leaving); }));
}

std::string family::hangs(const member& m, instant now) const {
    const slot_control& c = *control(m);
    if (!m.was_ready) {
        if (now - m.started < options_.boot_timeout) return {};
        return fmt::format("did not get ready within {} s (boot-timeout)", seconds(options_.boot_timeout));
    }
    if (options_.timeout == 0ms || c.beat_ns == c.started_ns) return {};
    if (now - instant_of(c.beat_ns) > options_.timeout)
        return fmt::format("has given no sign of life for {} s (timeout)", seconds(options_.timeout));
    std::int64_t turn = c.turn_began_ns;
    if (turn && now - instant_of(turn) > options_.timeout)
        return fmt::format("is held by one piece of work for more than {} s (timeout)", seconds(options_.timeout));
    return {};
}

void family::look_at_life(member& m, instant now) {
    slot_control* c = control(m);
    if (!c || m.killed) return;
    if (m.stacks_asked != instant::max()) {
        if (c->stacks_told == c->stacks_wanted) kill(m, "is killed after its stacks were logged");
        else if (now - m.stacks_asked > stack_patience) kill(m, "does not tell its stacks and is killed");
        return;
    }
    // Who drains has its own limit.
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
    look(*found, now);  // it may have got ready since
    member m = *found;
    members_.erase(found);
    if (m.slot < slot_table::most_slots) groups_[m.group].table.release(m.slot);
    mourn(m, status, now);
    return true;
}

void family::mourn(const member& m, int status, instant now) {
    kin& k = groups_[m.group];
    // Told to end before it knew how to, or once more when it had nothing left to do, it dies of the signal.
    bool told = WIFSIGNALED(status) && (WTERMSIG(status) == SIGTERM || WTERMSIG(status) == SIGINT);
    bool well = WIFEXITED(status) ? WEXITSTATUS(status) == 0 : m.leaving && !m.killed && told;
    if (m.leaving) {
        if (!well && ending_) status_ = std::max(status_, 1);
        log::write(well ? log::level::debug : log::level::warning, fmt::format("{} {}", name(m), how_it_ended(status)));
        return;
    }
    if (ending_) return;
    if (!k.what.run && k.target > 0) --k.target;  // nobody can take its place
    log::error(fmt::format("{} {}{}", name(m), how_it_ended(status), WCOREDUMP(status) ? ", core dumped" : ""));
    if (!m.was_ready) not_started(m, now);
    // The first one is replaced at once; one after the other are not.
    k.failures = now - m.started < short_life ? k.failures + 1 : 1;
    clock::duration pause = 0s;
    if (k.failures > 1) pause = std::min<clock::duration>(longest_pause, 125ms * (1 << (std::min(k.failures, 9) - 1)));
    k.next_start = now + pause;
    if (pause >= 1s)
        log::warning(fmt::format("{}: {} in a row did not live long; the next starts in {} s", k.what.name, k.failures,
                                 seconds(pause)));
}

void family::not_started(const member& m, instant now) {
    kin& k = groups_[m.group];
    if (m.generation != generation_ || k.complete == generation_) return;
    bool older = std::ranges::any_of(
        members_, [this](const member& other) { return !other.leaving && other.generation != generation_; });
    if (older) return keep_older(m.group, now);
    log::error(fmt::format("{} did not start: everything ends", name(m)));
    status_ = exit_not_started;
    end(true, now);
}

// The new generation does not start: the one before goes on.
void family::keep_older(std::size_t g, instant now) {
    log::error(
        fmt::format("the new {} does not start: the reload is given up, the old one serves on", groups_[g].what.name));
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
