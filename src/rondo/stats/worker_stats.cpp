// SPDX-License-Identifier: Apache-2.0
#include <rondo/stats/worker_stats.hpp>

#include <algorithm>
#include <new>

#include <sys/mman.h>

#include <rondo/stats/shared_layout.hpp>

namespace rondo::stats {

namespace {

std::int64_t now_ns() noexcept { return clock::now().time_since_epoch().count(); }

template <std::size_t Size>
void store_text(std::array<char, Size>& stored, std::string_view text) noexcept {
    text = text.substr(0, Size - 1);
    stored.fill(0);
    std::copy(text.begin(), text.end(), stored.begin());
}

// Other processes can write there: the terminating zero may be missing.
template <std::size_t Size>
std::string_view stored_text(const std::array<char, Size>& stored) noexcept {
    const std::string_view bytes(stored.data(), Size);
    return bytes.substr(0, bytes.find('\0'));
}

// Compares with `text` as store_text() truncates it.
template <std::size_t Size>
bool matches(const std::array<char, Size>& stored, std::string_view text) noexcept {
    return stored_text(stored) == text.substr(0, Size - 1);
}

}  // namespace

static_assert(std::atomic<std::uint64_t>::is_always_lock_free && std::atomic<request_state>::is_always_lock_free);

std::string_view to_string(request_state state) noexcept {
    switch (state) {
        case request_state::none: return "none";
        case request_state::loop: return "loop";
        case request_state::pool_queue: return "pool queue";
        case request_state::pool_thread: return "pool thread";
        case request_state::compute_queue: return "compute queue";
        case request_state::compute_thread: return "compute thread";
        case request_state::compute_process: return "compute process";
        case request_state::reading_body: return "body";
        case request_state::sending_response: return "sending";
        case request_state::blocking_loop: return "blocking the loop";
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

view_name view_stats::name() const noexcept {
    return {.pattern = stored_text(pattern), .methods = stored_text(methods), .kind = stored_text(kind)};
}

void running_request::enter(request_state new_state) noexcept {
    const std::int64_t ms = (now_ns() - started_ns.load(std::memory_order_relaxed)) / 1'000'000;
    store_relaxed(entered_ms, std::clamp<std::int64_t>(ms, 0, UINT32_MAX));
    state.store(new_state, std::memory_order_relaxed);
}

worker_stats& worker_stats::attach(std::span<std::byte> memory) { return placed_in<worker_stats>(memory); }

const worker_stats* worker_stats::attach_read_only(std::span<const std::byte> memory) noexcept {
    return find_placed_in<worker_stats>(memory);
}

void worker_stats::on_worker_start(int process_id) noexcept {
    const auto last_state = state.load(std::memory_order_relaxed);
    if (last_state != worker_state::none && last_state != worker_state::ended) add_relaxed(crashes, 1);
    add_relaxed(lost_requests, in_flight.load(std::memory_order_relaxed));
    store_relaxed(in_flight, 0);
    store_relaxed(waiting, 0);
    store_relaxed(connections, 0);
    for (auto& n : connections_by_state) store_relaxed(n, 0);
    for (pool_stats* p : {&blocking_pool, &compute_pool}) {
        for (auto* n : {&p->threads, &p->running, &p->waiting}) store_relaxed(*n, 0);
    }
    for (compute_queue_stats& d : compute_queues) {
        if (d.in_use.load(std::memory_order_relaxed) != 0) d.cancel_all();
    }
    for (client_library_stat& r : client_library_stats) {
        if (r.in_use.load(std::memory_order_relaxed) == 0) break;
        if (r.is_counter == 0) store_relaxed(r.value, 0);
    }
    const auto used = std::min<std::uint64_t>(rows_used.load(std::memory_order_relaxed), max_running);
    for (std::size_t i = 0; i < used; ++i) running[i].state.store(request_state::none, std::memory_order_relaxed);
    store_relaxed(rows_used, 0);
    store_relaxed(free_head, 0);
    store_relaxed(busy_ns, 0);
    store_relaxed(loop_delay_ns, 0);
    store_relaxed(max_turn_ns, 0);
    store_relaxed(pool_threads, 0);
    store_relaxed(blocked_since_ns, 0);
    store_relaxed(sample_every, 1);
    store_relaxed(started_ns, now_ns());
    store_relaxed(sampled_ns, now_ns());
    if (stall_ns.load(std::memory_order_relaxed) == 0) store_relaxed(stall_ns, 50'000'000);
    add_relaxed(starts, 1);
    store_relaxed(pid, process_id);
    state.store(worker_state::starting, std::memory_order_relaxed);
}

std::uint16_t worker_stats::view_row(const view_name& view) noexcept {
    for (std::size_t i = 1; i + 1 < max_views; ++i) {
        view_stats& v = views[i];
        if (v.in_use.load(std::memory_order_acquire) == 0) {
            store_text(v.pattern, view.pattern);
            store_text(v.methods, view.methods);
            store_text(v.kind, view.kind);
            v.in_use.store(1, std::memory_order_release);
        }
        if (matches(v.pattern, view.pattern) && matches(v.methods, view.methods) && matches(v.kind, view.kind))
            return static_cast<std::uint16_t>(i);
    }
    store_text(views[max_views - 1].pattern, "(other)");
    views[max_views - 1].in_use.store(1, std::memory_order_release);
    return max_views - 1;
}

compute_queue_stats& worker_stats::compute_queue(std::string_view pool) noexcept {
    for (compute_queue_stats& d : compute_queues) {
        if (d.in_use.load(std::memory_order_acquire) == 0) {
            store_text(d.name, &d == &compute_queues.back() ? "(other)" : pool);
            d.in_use.store(1, std::memory_order_release);
        }
        if (matches(d.name, pool)) return d;
    }
    return compute_queues.back();
}

void worker_stats::mark_blocking(std::string_view pattern, instant since) noexcept {
    std::uint16_t row = 0;
    for (std::uint16_t i = 1; i < max_views && row == 0 && !pattern.empty(); ++i)
        if (views[i].in_use.load(std::memory_order_acquire) != 0 && matches(views[i].pattern, pattern)) row = i;
    store_relaxed(blocking_view, row);
    store_relaxed(blocked_since_ns, since.time_since_epoch().count());
}

client_library_stat* worker_stats::client_library_stat_row(std::string_view group, std::string_view source,
                                                           const metric_descriptor& metric) noexcept {
    for (client_library_stat& r : client_library_stats) {
        if (r.in_use.load(std::memory_order_relaxed) == 0) {
            store_text(r.group, group);
            store_text(r.name, metric.name);
            store_text(r.source, source);
            store_text(r.help, metric.help);
            r.is_counter = metric.is_counter;
            r.is_seconds = metric.is_seconds;
            store_relaxed(r.value, 0);
            r.in_use.store(1, std::memory_order_release);
            return &r;
        }
        if (matches(r.group, group) && matches(r.name, metric.name) && matches(r.source, source)) return &r;
    }
    return nullptr;
}

std::uint16_t worker_stats::acquire_row(std::uint16_t view, instant start) noexcept {
    add_relaxed(waiting, 1);
    auto number = free_head.load(std::memory_order_relaxed);
    if (number == 0 || number > max_running) {
        const auto used = rows_used.load(std::memory_order_relaxed);
        if (used >= max_running) return no_row;
        number = static_cast<std::uint16_t>(used + 1);
        store_relaxed(rows_used, number);
    } else {
        store_relaxed(free_head, running[number - 1u].view_row.load(std::memory_order_relaxed));
    }
    running_request& r = running[number - 1u];
    store_relaxed(r.view_row, view);
    store_relaxed(r.entered_ms, 0);
    store_relaxed(r.started_ns, start.time_since_epoch().count());
    store_relaxed(r.queue_ns, 0);
    store_relaxed(r.thread_ns, 0);
    for (auto* n : {&r.loop_time.ns, &r.loop_time.measured_ns, &r.loop_time.cpu_ns}) store_relaxed(*n, 0);
    store_relaxed(r.loop_time.max_us, 0);
    r.state.store(request_state::loop, std::memory_order_relaxed);
    return number;
}

void worker_stats::release_row(std::uint16_t number) noexcept {
    add_relaxed(waiting, -1);
    if (number == no_row) return;
    running_request& r = running[number - 1u];
    r.state.store(request_state::none, std::memory_order_relaxed);
    store_relaxed(r.view_row, free_head.load(std::memory_order_relaxed));
    store_relaxed(free_head, number);
}

worker_stats_memory::worker_stats_memory() {
    // Untouched pages use no memory.
    void* memory = mmap(nullptr, sizeof(worker_stats), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    stats_ = &worker_stats::attach({static_cast<std::byte*>(memory), sizeof(worker_stats)});
}

worker_stats_memory::~worker_stats_memory() { munmap(static_cast<void*>(stats_), sizeof(worker_stats)); }

}  // namespace rondo::stats
