// SPDX-License-Identifier: Apache-2.0
#include <rondo/stats/worker_stats.hpp>

#include <algorithm>
#include <new>

#include <sys/mman.h>

#include <rondo/stats/placed_in.hpp>

namespace rondo::stats {

namespace {

std::int64_t now_ns() noexcept { return clock::now().time_since_epoch().count(); }

template <std::size_t Size>
void put(std::array<char, Size>& stored, std::string_view text) noexcept {
    text = text.substr(0, Size - 1);
    stored.fill(0);
    std::copy(text.begin(), text.end(), stored.begin());
}

// Other processes can write there: the terminating zero may be missing.
template <std::size_t Size>
std::string_view text_in(const std::array<char, Size>& stored) noexcept {
    const std::string_view bytes(stored.data(), Size);
    return bytes.substr(0, bytes.find('\0'));
}

// Compares with `text` as store_text() truncates it.
template <std::size_t Size>
bool same(const std::array<char, Size>& stored, std::string_view text) noexcept {
    return text_in(stored) == text.substr(0, Size - 1);
}

}  // namespace

static_assert(std::atomic<std::uint64_t>::is_always_lock_free && std::atomic<place>::is_always_lock_free);

std::string_view to_string(place state) noexcept {
    switch (state) {
        case place::none: return "none";
        case place::loop: return "loop";
        case place::pool_queue: return "pool queue";
        case place::pool_thread: return "pool thread";
        case place::compute_queue: return "compute queue";
        case place::compute_thread: return "compute thread";
        case place::compute_process: return "compute process";
        case place::body: return "body";
        case place::sending: return "sending";
        case place::holding: return "holding the loop";
    }
    return {};
}

std::string_view to_string(worker_state s) noexcept {
    switch (s) {
        case worker_state::none: return "none";
        case worker_state::starting: return "starting";
        case worker_state::serving: return "serving";
        case worker_state::draining: return "draining";
        case worker_state::ended: return "ended";
    }
    return {};
}

std::string_view to_string(connection_state s) noexcept {
    switch (s) {
        case connection_state::idle: return "idle";
        case connection_state::head: return "head";
        case connection_state::serving: return "serving";
        case connection_state::body: return "body";
        case connection_state::writing: return "writing";
        case connection_state::lingering: return "lingering";
    }
    return {};
}

view_name view_figures::name() const noexcept {
    return {.pattern = text_in(pattern), .methods = text_in(methods), .kind = text_in(kind)};
}

void running_request::goes(place new_state) noexcept {
    const std::int64_t ms = (now_ns() - began_ns.load(std::memory_order_relaxed)) / 1'000'000;
    set_to(since_ms, std::clamp<std::int64_t>(ms, 0, UINT32_MAX));
    where.store(new_state, std::memory_order_relaxed);
}

statistics& statistics::in(std::span<std::byte> memory) { return figures_in<statistics>(memory); }

const statistics* statistics::look(std::span<const std::byte> memory) noexcept {
    return look_at_figures<statistics>(memory);
}

void statistics::begin(int process_id) noexcept {
    const auto last_state = state.load(std::memory_order_relaxed);
    if (last_state != worker_state::none && last_state != worker_state::ended) add_to(crashes, 1);
    add_to(lost, in_flight.load(std::memory_order_relaxed));
    set_to(in_flight, 0);
    set_to(waiting, 0);
    set_to(connections, 0);
    for (auto& n : connections_in) set_to(n, 0);
    for (pool_figures* p : {&blocking, &compute}) {
        for (auto* n : {&p->threads, &p->running, &p->waiting}) set_to(*n, 0);
    }
    for (compute_demand& d : computers) {
        if (d.used.load(std::memory_order_relaxed) != 0) d.nobody_waits();
    }
    for (resource_figure& r : resources) {
        if (r.used.load(std::memory_order_relaxed) == 0) break;
        if (r.counts == 0) set_to(r.value, 0);
    }
    const auto used = std::min<std::uint64_t>(rows_used.load(std::memory_order_relaxed), max_running);
    for (std::size_t i = 0; i < used; ++i) running[i].where.store(place::none, std::memory_order_relaxed);
    set_to(rows_used, 0);
    set_to(free_head, 0);
    set_to(busy_ns, 0);
    set_to(loop_delay_ns, 0);
    set_to(longest_turn_ns, 0);
    set_to(pool_threads, 0);
    set_to(holding_since_ns, 0);
    set_to(sample_every, 1);
    set_to(started_ns, now_ns());
    set_to(looked_ns, now_ns());
    if (stall_ns.load(std::memory_order_relaxed) == 0) set_to(stall_ns, 50'000'000);
    add_to(starts, 1);
    set_to(process, process_id);
    state.store(worker_state::starting, std::memory_order_relaxed);
}

std::uint16_t statistics::row_of(const view_name& view) noexcept {
    for (std::size_t i = 1; i + 1 < max_views; ++i) {
        view_figures& v = views[i];
        if (v.used.load(std::memory_order_acquire) == 0) {
            put(v.pattern, view.pattern);
            put(v.methods, view.methods);
            put(v.kind, view.kind);
            v.used.store(1, std::memory_order_release);
        }
        if (same(v.pattern, view.pattern) && same(v.methods, view.methods) && same(v.kind, view.kind))
            return static_cast<std::uint16_t>(i);
    }
    put(views[max_views - 1].pattern, "(other)");
    views[max_views - 1].used.store(1, std::memory_order_release);
    return max_views - 1;
}

compute_demand& statistics::demand_of(std::string_view pool) noexcept {
    for (compute_demand& d : computers) {
        if (d.used.load(std::memory_order_acquire) == 0) {
            put(d.name, &d == &computers.back() ? "(other)" : pool);
            d.used.store(1, std::memory_order_release);
        }
        if (same(d.name, pool)) return d;
    }
    return computers.back();
}

void statistics::holds(std::string_view pattern, instant since) noexcept {
    std::uint16_t row = 0;
    for (std::uint16_t i = 1; i < max_views && row == 0 && !pattern.empty(); ++i)
        if (views[i].used.load(std::memory_order_acquire) != 0 && same(views[i].pattern, pattern)) row = i;
    set_to(holding_view, row);
    set_to(holding_since_ns, since.time_since_epoch().count());
}

resource_figure* statistics::resource_of(std::string_view group, std::string_view source,
                                         const figure_text& metric) noexcept {
    for (resource_figure& r : resources) {
        if (r.used.load(std::memory_order_relaxed) == 0) {
            put(r.group, group);
            put(r.name, metric.name);
            put(r.of, source);
            put(r.help, metric.help);
            r.counts = metric.counts;
            r.seconds = metric.seconds;
            set_to(r.value, 0);
            r.used.store(1, std::memory_order_release);
            return &r;
        }
        if (same(r.group, group) && same(r.name, metric.name) && same(r.of, source)) return &r;
    }
    return nullptr;
}

std::uint16_t statistics::take_row(std::uint16_t view, instant start) noexcept {
    add_to(waiting, 1);
    auto number = free_head.load(std::memory_order_relaxed);
    if (number == 0 || number > max_running) {
        const auto used = rows_used.load(std::memory_order_relaxed);
        if (used >= max_running) return no_row;
        number = static_cast<std::uint16_t>(used + 1);
        set_to(rows_used, number);
    } else {
        set_to(free_head, running[number - 1u].view.load(std::memory_order_relaxed));
    }
    running_request& r = running[number - 1u];
    set_to(r.view, view);
    set_to(r.since_ms, 0);
    set_to(r.began_ns, start.time_since_epoch().count());
    set_to(r.queue_ns, 0);
    set_to(r.thread_ns, 0);
    for (auto* n : {&r.held.ns, &r.held.measured_ns, &r.held.cpu_ns}) set_to(*n, 0);
    set_to(r.held.longest_us, 0);
    r.where.store(place::loop, std::memory_order_relaxed);
    return number;
}

void statistics::free_row(std::uint16_t number) noexcept {
    add_to(waiting, -1);
    if (number == no_row) return;
    running_request& r = running[number - 1u];
    r.where.store(place::none, std::memory_order_relaxed);
    set_to(r.view, free_head.load(std::memory_order_relaxed));
    set_to(free_head, number);
}

statistics_memory::statistics_memory() {
    // Untouched pages use no memory.
    void* memory = mmap(nullptr, sizeof(statistics), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    memory_ = &statistics::in({static_cast<std::byte*>(memory), sizeof(statistics)});
}

statistics_memory::~statistics_memory() { munmap(static_cast<void*>(memory_), sizeof(statistics)); }

}  // namespace rondo::stats
