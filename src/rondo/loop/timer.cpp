// SPDX-License-Identifier: Apache-2.0
#include <rondo/loop/timer.hpp>

#include <algorithm>
#include <bit>
#include <chrono>

namespace rondo {

namespace {
using tick = std::chrono::milliseconds;
}

timer_wheel::timer_wheel(instant now) : origin_(now) {}

std::int64_t timer_wheel::to_tick(instant at) const noexcept {
    return at <= origin_ ? 0 : std::chrono::ceil<tick>(at - origin_).count();
}

void timer_wheel::arm(timer& t, instant due) noexcept {
    t.due_ = due;
    std::int64_t due_tick = to_tick(due);
    // A timer in an earlier slot is moved when that slot comes up.
    if (t.is_linked() && due_tick >= t.slot_tick_) return;
    t.unlink();
    t.slot_tick_ = due_tick;
    if (due_tick <= tick_) overdue_.push_back(t);
    else insert(t);
}

void timer_wheel::insert(timer& t) noexcept {
    constexpr std::int64_t max_delta = (std::int64_t{1} << (slot_bits * levels)) - 1;
    std::int64_t delta = std::clamp<std::int64_t>(t.slot_tick_ - tick_, 1, max_delta);
    t.slot_tick_ = tick_ + delta;
    int level = (std::bit_width(static_cast<std::uint64_t>(delta)) - 1) / slot_bits;
    auto slot = static_cast<std::size_t>(t.slot_tick_ >> (slot_bits * level)) & (slots - 1);
    wheel_[static_cast<std::size_t>(level)][slot].push_back(t);
    occupied_[static_cast<std::size_t>(level)] |= std::uint64_t{1} << slot;
}

void timer_wheel::cascade(int level) noexcept {
    if (level == levels) return;
    auto l = static_cast<std::size_t>(level);
    auto slot = static_cast<std::size_t>(tick_ >> (slot_bits * level)) & (slots - 1);
    if (slot == 0) cascade(level + 1);
    occupied_[l] &= ~(std::uint64_t{1} << slot);
    intrusive_list<timer> moved;
    moved.splice(wheel_[l][slot]);
    while (!moved.empty()) {
        timer& t = moved.pop_front();
        t.slot_tick_ = std::max(to_tick(t.due_), tick_);
        if (t.slot_tick_ == tick_) {
            wheel_[0][static_cast<std::size_t>(tick_) & (slots - 1)].push_back(t);
        } else {
            insert(t);
        }
    }
}

void timer_wheel::advance(instant now) noexcept {
    std::int64_t target = std::chrono::floor<tick>(now - origin_).count();
    intrusive_list<timer> due;
    due.splice(overdue_);
    fire(due);
    while (tick_ < target) {
        tick_ = std::min(target, next_tick());
        auto slot = static_cast<std::size_t>(tick_) & (slots - 1);
        if (slot == 0) cascade(1);
        occupied_[0] &= ~(std::uint64_t{1} << slot);
        due.splice(wheel_[0][slot]);
        fire(due);
    }
}

void timer_wheel::fire(intrusive_list<timer>& due) noexcept {
    while (!due.empty()) {
        timer& t = due.pop_front();
        t.slot_tick_ = to_tick(t.due_);
        if (t.slot_tick_ > tick_) insert(t);
        else t.function_(t);
    }
}

// The tick of the next non-empty slot.
std::int64_t timer_wheel::next_tick() const noexcept {
    std::int64_t earliest = INT64_MAX;
    for (int level = 0; level < levels; ++level) {
        std::uint64_t occupied = occupied_[static_cast<std::size_t>(level)];
        if (!occupied) continue;
        std::int64_t current = tick_ >> (slot_bits * level);
        // The slots in the order of their ticks, the current one last.
        std::uint64_t upcoming = std::rotr(occupied, static_cast<int>((current + 1) & (slots - 1)));
        std::int64_t slot = current + 1 + std::countr_zero(upcoming);
        earliest = std::min(earliest, slot << (slot_bits * level));
    }
    return earliest;
}

instant timer_wheel::next() const noexcept {
    std::int64_t earliest = overdue_.empty() ? next_tick() : tick_;
    return earliest == INT64_MAX ? instant::max() : origin_ + tick(earliest);
}

}  // namespace rondo
