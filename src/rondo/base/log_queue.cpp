// SPDX-License-Identifier: Apache-2.0
#include <rondo/base/log_queue.hpp>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <new>
#include <optional>
#include <thread>
#include <utility>

#include <rondo/base/fork_generation.hpp>
#include <rondo/base/thread.hpp>

namespace rondo::log {

namespace {

using std::chrono::milliseconds;
using time_point = std::chrono::steady_clock::time_point;

constexpr std::size_t max_lines = 8192;
constexpr std::size_t max_bytes = 8U << 20;
constexpr milliseconds batch_delay{5};
constexpr milliseconds poll_interval{100};  // while the output is blocked: checks for the end and for another output
constexpr milliseconds retry_pause{5};
constexpr milliseconds close_timeout{1000};
constexpr milliseconds max_flush_time{5000};
constexpr std::chrono::seconds report_interval{10};

time_point now() noexcept { return std::chrono::steady_clock::now(); }

unsigned long count_lines(std::string_view text) {
    return static_cast<unsigned long>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

// Kept alive by its thread, which may block in a write to a disk for longer than the destructor waits.
struct line_queue::state {
    state(output o, bool batched, loss_reporter t)
        : is_batched(batched), target(std::move(o)), report_loss(std::move(t)) {}

    void push(std::string_view line);
    void run() noexcept;
    void write_batch(std::unique_lock<std::mutex>& lock) noexcept;
    void write_all(std::string_view text) noexcept;
    bool write_some(std::string_view& text) noexcept;
    bool switch_output() noexcept;
    void write_pending() noexcept;
    void report_losses(bool last) noexcept;
    bool flush(milliseconds timeout);
    void close();

    const process_mark process;
    const bool is_batched;
    std::mutex mutex;
    std::condition_variable wake;
    std::condition_variable progressed;
    bool threaded = false;
    std::string batch;  // queued lines; the first may be the rest of a partly written one
    std::size_t lines = 0;
    std::optional<output> next_output;         // set by set_output(), not in use yet
    std::size_t bytes_before_next_output = 0;  // bytes of the batch that were pushed before set_output()
    std::atomic<unsigned long> dropped{0};
    std::atomic<unsigned long> progress{0};   // bytes written or dropped
    std::optional<unsigned long> stalled_at;  // the progress at which a flush gave up
    int flush_waiters = 0;                    // calls of flush() that wait
    bool closing = false;
    bool abandoned = false;  // the destructor no longer waits
    bool busy = false;
    bool closed = false;
    // Used only by the writing thread.
    output target;
    loss_reporter report_loss;
    std::string active_batch;
    bool ends_in_partial_line = false;  // the file ends with a part of a lost line
    unsigned long reported_losses = 0;
    time_point next_report{};
};

void line_queue::state::push(std::string_view line) {
    const std::lock_guard lock(mutex);
    if (lines >= max_lines || batch.size() + line.size() > max_bytes) {
        ++dropped;
        if (!threaded) write_pending();
        return;
    }
    const bool first = batch.empty();
    batch += line;
    batch += '\n';
    ++lines;
    if (!threaded) write_pending();
    else if (first) wake.notify_one();
}

// Lines that arrive within a few milliseconds are written together: waking the thread for each would cost more than the
// line itself.
void line_queue::state::run() noexcept {
    std::unique_lock lock(mutex);
    for (;;) {
        wake.wait(lock, [this] { return closing || !batch.empty() || next_output; });
        if (batch.empty() && !next_output) break;
        if (is_batched) wake.wait_for(lock, batch_delay, [this] { return closing || flush_waiters > 0; });
        write_batch(lock);
        progressed.notify_all();
    }
    lock.unlock();
    report_losses(true);
    target.close();  // before the waiting thread may fork
    lock.lock();
    closed = true;
    progressed.notify_all();
}

// Lines pushed before set_output() go to the previous output.
void line_queue::state::write_batch(std::unique_lock<std::mutex>& lock) noexcept {
    active_batch.swap(batch);
    lines = 0;
    busy = true;
    const std::size_t before = std::exchange(bytes_before_next_output, 0);
    std::optional<output> next = std::exchange(next_output, std::nullopt);
    lock.unlock();
    std::string_view text = active_batch;
    if (next) {
        std::string_view old = text.substr(0, before);
        write_some(old);
        text.remove_prefix(before - old.size());
        target = std::move(*next);
        ends_in_partial_line = false;
    }
    write_all(text);
    active_batch.clear();
    report_losses(false);
    lock.lock();
    busy = false;
}

void line_queue::state::write_all(std::string_view text) noexcept {
    for (bool retried = false; !write_some(text); retried = true) {
        if (switch_output()) continue;
        {
            const std::lock_guard lock(mutex);
            if (abandoned) {
                dropped += count_lines(text);
                return;
            }
        }
        target.wait_writable(poll_interval);
        // Writable, but for less than a line, or another process was faster: avoid a busy loop.
        if (retried) std::this_thread::sleep_for(retry_pause);
    }
}

// False when writing the rest of the text would block. The first write after a loss terminates a line that was cut off.
bool line_queue::state::write_some(std::string_view& text) noexcept {
    const std::size_t size = text.size();
    output::result r = output::result::written;
    if (ends_in_partial_line && size > 0) {
        std::string_view end = "\n";
        r = target.write(end);
        ends_in_partial_line = r != output::result::written;
    }
    if (!ends_in_partial_line) r = target.write(text);
    if (r == output::result::failed) {
        if (text.size() < size) ends_in_partial_line = text.data()[-1] != '\n';
        dropped += count_lines(text);
        text = {};
    }
    progress += size - text.size();
    return text.empty();
}

bool line_queue::state::switch_output() noexcept {
    const std::lock_guard lock(mutex);
    if (!next_output) return false;
    target = std::move(*std::exchange(next_output, std::nullopt));
    bytes_before_next_output = 0;
    ends_in_partial_line = false;
    return true;
}

// Called by the pushing thread, under the lock.
void line_queue::state::write_pending() noexcept {
    std::string_view text = batch;
    write_some(text);
    const std::string_view written = std::string_view(batch).substr(0, batch.size() - text.size());
    if (!written.empty()) {
        lines -= std::min<std::size_t>(lines, count_lines(written));
        batch.erase(0, written.size());
    }
    if (batch.empty()) report_losses(false);
}

// At most once per interval, so that reports do not fill the disk further.
void line_queue::state::report_losses(bool last) noexcept {
    const unsigned long lost = dropped;
    const time_point current_time = now();
    if (lost == reported_losses || (current_time < next_report && !last)) return;
    try {
        const std::string line = report_loss(lost - reported_losses, lost);
        std::string_view text = line;
        if (target.write(text) != output::result::written) {
            ends_in_partial_line = ends_in_partial_line || text.size() < line.size();
            return;
        }
    } catch (...) {
        return;
    }
    reported_losses = lost;
    next_report = current_time + report_interval;
}

bool line_queue::state::flush(milliseconds timeout) {
    std::unique_lock lock(mutex);
    const time_point end = now() + std::max(max_flush_time, timeout);
    const auto done = [this] { return batch.empty() && !busy && !next_output; };
    ++flush_waiters;
    wake.notify_all();
    if (!threaded) write_pending();
    for (unsigned long before = progress; !done(); before = progress) {
        if (now() >= end) break;
        // No progress since the last flush gave up: only check whether the output is still blocked.
        const bool stuck = stalled_at == before;
        if (stuck) timeout = std::min(timeout, threaded ? poll_interval + poll_interval / 2 : milliseconds(0));
        if (threaded) {
            for (const time_point until = now() + timeout; !done() && progress == before && now() < until;)
                progressed.wait_for(lock, std::min(poll_interval, timeout));
        } else {
            target.wait_writable(timeout);
            write_pending();
        }
        if (done() || progress != before) continue;
        stalled_at = before;
        break;
    }
    --flush_waiters;
    return done();
}

void line_queue::state::close() {
    flush(close_timeout);
    std::unique_lock lock(mutex);
    closing = abandoned = true;
    wake.notify_all();
    if (threaded) {
        progressed.wait_for(lock, 5 * poll_interval, [this] { return closed; });
        return;
    }
    dropped += std::exchange(lines, 0);
    report_losses(true);
}

line_queue::line_queue(output target, write_mode mode, loss_reporter report)
    : state_(std::make_shared<state>(std::move(target), mode == write_mode::asynchronous, std::move(report))) {
    if (mode == write_mode::synchronous) return;
    state_->threaded = true;
    named_thread("rondo-log", [s = state_] { s->run(); }).detach();
}

line_queue::~line_queue() {
    if (is_inherited()) {
        // Its thread does not exist in this process, and its mutex may be locked forever. Closes the file, which would
        // otherwise use disk space until this process exits, even after the parent rotated it.
        state_->target.close();
        [[maybe_unused]] const auto* leaked = new (std::nothrow) std::shared_ptr<state>(std::move(state_));
        return;
    }
    try {
        state_->close();
    } catch (...) {
        // There is no other place to report it.
    }
}

void line_queue::push(std::string_view line) noexcept {
    if (is_inherited()) return;
    try {
        state_->push(line);
    } catch (...) {
        ++state_->dropped;
    }
}

unsigned long line_queue::dropped_lines() const noexcept { return state_->dropped; }

void line_queue::set_output(output target) {
    const std::lock_guard lock(state_->mutex);
    if (state_->threaded) {
        state_->next_output = std::move(target);
        state_->bytes_before_next_output = state_->batch.size();
        state_->wake.notify_one();
    } else {
        state_->write_pending();
        state_->target = std::move(target);
        state_->ends_in_partial_line = false;
    }
    state_->stalled_at.reset();
}

bool line_queue::flush(milliseconds timeout) noexcept {
    if (is_inherited()) return true;
    try {
        return state_->flush(timeout);
    } catch (...) {
        return false;
    }
}

bool line_queue::is_inherited() const noexcept { return !state_->process.is_own(); }

}  // namespace rondo::log
