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

constexpr std::size_t most_lines = 8192;
constexpr std::size_t most_bytes = 8U << 20;
constexpr milliseconds gather{5};
constexpr milliseconds look_again{100};  // while the output is blocked: checks for the end and for another output
constexpr milliseconds pause_without_room{5};
constexpr milliseconds patience_at_the_end{1000};
constexpr milliseconds longest_flush{5000};
constexpr std::chrono::seconds tell_again{10};

time_point now() noexcept { return std::chrono::steady_clock::now(); }

unsigned long count_lines(std::string_view text) {
    return static_cast<unsigned long>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

// Kept alive by its thread, which may block in a write to a disk for longer than the destructor waits.
struct line_queue::state {
    state(output o, telling t) : to(std::move(o)), tell(std::move(t)) {}

    void push(std::string_view line);
    void serve() noexcept;
    void take(std::unique_lock<std::mutex>& lock) noexcept;
    void write_out(std::string_view text) noexcept;
    bool write_some(std::string_view& text) noexcept;
    bool other_output() noexcept;
    void write_waiting() noexcept;
    void tell_losses(bool last) noexcept;
    bool flush(milliseconds timeout);
    void end();

    const process_mark process;
    std::mutex mutex;
    std::condition_variable wake;
    std::condition_variable moved;
    bool threaded = false;
    std::string batch;  // queued lines; the first may be the rest of a partly written one
    std::size_t lines = 0;
    std::optional<output> fresh;   // set by set_output(), not in use yet
    std::size_t before_fresh = 0;  // bytes of the batch that were pushed before set_output()
    std::atomic<unsigned long> dropped{0};
    std::atomic<unsigned long> progress{0};  // bytes written or dropped
    std::optional<unsigned long> stuck_at;   // the progress at which a flush gave up
    int hurry = 0;                           // calls of flush() that wait
    bool ending = false;
    bool giving_up = false;  // the destructor no longer waits
    bool busy = false;
    bool ended = false;
    // Used only by the writing thread.
    output to;
    telling tell;
    std::string writing;
    bool torn = false;  // the file ends with a part of a lost line
    unsigned long told = 0;
    time_point tell_at{};
};

void line_queue::state::push(std::string_view line) {
    const std::lock_guard lock(mutex);
    if (lines >= most_lines || batch.size() + line.size() > most_bytes) {
        ++dropped;
        if (!threaded) write_waiting();
        return;
    }
    const bool first = batch.empty();
    batch += line;
    batch += '\n';
    ++lines;
    if (!threaded) write_waiting();
    else if (first) wake.notify_one();
}

// Lines that arrive within a few milliseconds are written together: waking the thread for each would cost more than the
// line itself.
void line_queue::state::serve() noexcept {
    std::unique_lock lock(mutex);
    for (;;) {
        wake.wait(lock, [this] { return ending || !batch.empty() || fresh; });
        if (batch.empty() && !fresh) break;
        wake.wait_for(lock, gather, [this] { return ending || hurry > 0; });
        take(lock);
        moved.notify_all();
    }
    lock.unlock();
    tell_losses(true);
    to.close();  // before the waiting thread may fork
    lock.lock();
    ended = true;
    moved.notify_all();
}

// Lines pushed before set_output() go to the previous output.
void line_queue::state::take(std::unique_lock<std::mutex>& lock) noexcept {
    writing.swap(batch);
    lines = 0;
    busy = true;
    const std::size_t before = std::exchange(before_fresh, 0);
    std::optional<output> next = std::exchange(fresh, std::nullopt);
    lock.unlock();
    std::string_view text = writing;
    if (next) {
        std::string_view old = text.substr(0, before);
        write_some(old);
        text.remove_prefix(before - old.size());
        to = std::move(*next);
        torn = false;
    }
    write_out(text);
    writing.clear();
    tell_losses(false);
    lock.lock();
    busy = false;
}

void line_queue::state::write_out(std::string_view text) noexcept {
    for (bool retried = false; !write_some(text); retried = true) {
        if (other_output()) continue;
        {
            const std::lock_guard lock(mutex);
            if (giving_up) {
                dropped += count_lines(text);
                return;
            }
        }
        to.wait(look_again);
        // Writable, but for less than a line, or another process was faster: avoid a busy loop.
        if (retried) std::this_thread::sleep_for(pause_without_room);
    }
}

// False when writing the rest of the text would block. The first write after a loss terminates a line that was cut off.
bool line_queue::state::write_some(std::string_view& text) noexcept {
    const std::size_t size = text.size();
    output::result r = output::result::written;
    if (torn && size > 0) {
        std::string_view end = "\n";
        r = to.write(end);
        torn = r != output::result::written;
    }
    if (!torn) r = to.write(text);
    if (r == output::result::lost) {
        if (text.size() < size) torn = text.data()[-1] != '\n';
        dropped += count_lines(text);
        text = {};
    }
    progress += size - text.size();
    return text.empty();
}

bool line_queue::state::other_output() noexcept {
    const std::lock_guard lock(mutex);
    if (!fresh) return false;
    to = std::move(*std::exchange(fresh, std::nullopt));
    before_fresh = 0;
    torn = false;
    return true;
}

// Called by the pushing thread, under the lock.
void line_queue::state::write_waiting() noexcept {
    std::string_view text = batch;
    write_some(text);
    const std::string_view written = std::string_view(batch).substr(0, batch.size() - text.size());
    if (!written.empty()) {
        lines -= std::min<std::size_t>(lines, count_lines(written));
        batch.erase(0, written.size());
    }
    if (batch.empty()) tell_losses(false);
}

// At most once per interval, so that reports do not fill the disk further.
void line_queue::state::tell_losses(bool last) noexcept {
    const unsigned long lost = dropped;
    const time_point current_time = now();
    if (lost == told || (current_time < tell_at && !last)) return;
    try {
        const std::string line = tell(lost - told, lost);
        std::string_view text = line;
        if (to.write(text) != output::result::written) {
            torn = torn || text.size() < line.size();
            return;
        }
    } catch (...) {
        return;
    }
    told = lost;
    tell_at = current_time + tell_again;
}

bool line_queue::state::flush(milliseconds timeout) {
    std::unique_lock lock(mutex);
    const time_point end = now() + std::max(longest_flush, timeout);
    const auto done = [this] { return batch.empty() && !busy && !fresh; };
    ++hurry;
    wake.notify_all();
    if (!threaded) write_waiting();
    for (unsigned long before = progress; !done(); before = progress) {
        if (now() >= end) break;
        // No progress since the last flush gave up: only check whether the output is still blocked.
        const bool stuck = stuck_at == before;
        if (stuck) timeout = std::min(timeout, threaded ? look_again + look_again / 2 : milliseconds(0));
        if (threaded) {
            for (const time_point until = now() + timeout; !done() && progress == before && now() < until;)
                moved.wait_for(lock, std::min(look_again, timeout));
        } else {
            to.wait(timeout);
            write_waiting();
        }
        if (done() || progress != before) continue;
        stuck_at = before;
        break;
    }
    --hurry;
    return done();
}

void line_queue::state::end() {
    flush(patience_at_the_end);
    std::unique_lock lock(mutex);
    ending = giving_up = true;
    wake.notify_all();
    if (threaded) {
        moved.wait_for(lock, 5 * look_again, [this] { return ended; });
        return;
    }
    dropped += std::exchange(lines, 0);
    tell_losses(true);
}

line_queue::line_queue(output target, writer mode, telling report)
    : state_(std::make_shared<state>(std::move(target), std::move(report))) {
    if (mode != writer::own_thread) return;
    state_->threaded = true;
    named_thread("rondo-log", [s = state_] { s->serve(); }).detach();
}

line_queue::~line_queue() {
    if (of_parent()) {
        // Its thread does not exist in this process, and its mutex may be locked forever. Closes the file, which would
        // otherwise use disk space until this process exits, even after the parent rotated it.
        state_->to.close();
        [[maybe_unused]] const auto* leaked = new (std::nothrow) std::shared_ptr<state>(std::move(state_));
        return;
    }
    try {
        state_->end();
    } catch (...) {
        // There is no other place to report it.
    }
}

void line_queue::push(std::string_view line) noexcept {
    if (of_parent()) return;
    try {
        state_->push(line);
    } catch (...) {
        ++state_->dropped;
    }
}

unsigned long line_queue::dropped() const noexcept { return state_->dropped; }

void line_queue::change(output target) {
    const std::lock_guard lock(state_->mutex);
    if (state_->threaded) {
        state_->fresh = std::move(target);
        state_->before_fresh = state_->batch.size();
        state_->wake.notify_one();
    } else {
        state_->write_waiting();
        state_->to = std::move(target);
        state_->torn = false;
    }
    state_->stuck_at.reset();
}

bool line_queue::flush(milliseconds timeout) noexcept {
    if (of_parent()) return true;
    try {
        return state_->flush(timeout);
    } catch (...) {
        return false;
    }
}

bool line_queue::of_parent() const noexcept { return !state_->process.is_own(); }

}  // namespace rondo::log
