// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/arbiter_operations.hpp>

#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <system_error>

#include <fmt/format.h>
#include <unistd.h>

#include <rondo/base/log.hpp>
#include <rondo/loop/loop.hpp>

namespace rondo::cli {

namespace {

using namespace std::chrono_literals;

constexpr auto step_limit = 5s;

const process::slot_table& table_of(const process::child& self, const std::string& group) {
    const process::slot_table* table = self.slots_of(group);
    if (table == nullptr) throw std::logic_error("there is no group of processes named " + group);
    return *table;
}

std::string send(int arbiter, int signal) {
    // Once the arbiter is gone this process has another parent, and is about to be killed.
    if (getppid() == arbiter && kill(arbiter, signal) == 0) return {};
    if (errno == EPERM)
        return "the arbiter runs as another user than this process (see --user): send it the signal yourself";
    return fmt::format("the arbiter, process {}, cannot be told: {}", arbiter, std::generic_category().message(errno));
}

}  // namespace

arbiter_operations::arbiter_operations(const process::child& self, const std::string& workers)
    : slots_(table_of(self, workers)), arbiter_(getppid()) {}

std::vector<server::worker_source> arbiter_operations::workers() {
    std::vector<server::worker_source> all;
    for (std::size_t i = 0; i < slots_.used(); ++i) {
        const process::slot_control& c = slots_.control(i);
        server::worker_source w;
        w.name = std::to_string(i);
        w.figures = handler::statistics::look(slots_.memory(i));
        w.process = c.pid.load(std::memory_order_relaxed);
        w.alive = w.process > 0;
        if (w.alive) w.resident_bytes = resident_bytes(w.process);
        w.turn_began_ns = c.turn_began_ns.load(std::memory_order_relaxed);
        if (w.alive || w.figures != nullptr) all.push_back(std::move(w));
    }
    return all;
}

std::string arbiter_operations::reload() { return send(arbiter_, SIGHUP); }
std::string arbiter_operations::drain() { return send(arbiter_, SIGTERM); }

std::size_t arbiter_operations::staying() const noexcept {
    std::size_t n = 0;
    for (std::size_t i = 0; i < slots_.used(); ++i) {
        const process::slot_control& c = slots_.control(i);
        n += c.pid.load(std::memory_order_relaxed) > 0 &&
             c.at.load(std::memory_order_relaxed) != process::life::draining;
    }
    return n;
}

std::string arbiter_operations::scale(std::size_t workers) {
    if (std::string hindrance = send(arbiter_, 0); !hindrance.empty()) return hindrance;
    target_ = workers;
    if (!scaling_) scalers_.spawn(go_to_target());
    return {};
}

task<void> arbiter_operations::go_to_target() {
    scaling_ = true;
    while (staying() != target_) {
        const bool done = co_await step(staying() < target_);
        if (!done) break;
    }
    scaling_ = false;
}

task<bool> arbiter_operations::step(bool more) {
    const std::size_t wanted = more ? staying() + 1 : staying() - 1;
    if (const std::string hindrance = send(arbiter_, more ? SIGTTIN : SIGTTOU); !hindrance.empty()) {
        log::warning(hindrance);
        co_return false;
    }
    // Two signals at once would be one.
    for (const instant end = from_now(step_limit); staying() != wanted;) {
        if (clock::now() > end) {
            log::warning(fmt::format("the arbiter went to {} workers, not to {}", staying(), wanted));
            co_return false;
        }
        co_await sleep(20ms);
    }
    co_return true;
}

task<void> arbiter_operations::end() {
    scalers_.cancel();
    co_await scalers_.join();
}

}  // namespace rondo::cli
