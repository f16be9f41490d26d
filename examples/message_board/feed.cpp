// SPDX-License-Identifier: Apache-2.0
#include "feed.hpp"

#include <algorithm>
#include <iterator>
#include <limits>

#include <fmt/format.h>

#include <rondo/base/log.hpp>
#include <rondo/loop/pool.hpp>

namespace message_board {
namespace {

constexpr std::size_t remembered = 500, read_at_once = 500;
constexpr const char* channel = "message_board";

}  // namespace

feed::feed(const std::string& path, rondo::channels& told) : store_(path), told_(told) {
    std::vector<message> newest = store_.before(std::numeric_limits<std::int64_t>::max(), remembered);
    // Perhaps there are older ones; the newest of them has at most the id before.
    if (newest.size() == remembered) forgotten_ = newest.back().id - 1;
    std::ranges::copy(newest.rbegin(), newest.rend(), std::back_inserter(recent_));
    if (!recent_.empty()) news_.advance_to(static_cast<std::uint64_t>(recent_.back().id));
}

message feed::add(const draft& d) {
    message made = store_.add(d);
    catch_up();
    tell_others(made);
    return made;
}

void feed::catch_up() {
    const std::scoped_lock held(catching_up_);
    while (true) {
        const std::vector<message> news = store_.after(last(), read_at_once);
        for (const message& m : news) remember(m);
        if (news.empty()) return;
        news_.advance_to(static_cast<std::uint64_t>(news.back().id));
    }
}

// Kept it is in any case: the other workers find it when they next look.
void feed::tell_others(const message& m) {
    try {
        told_.publish_sync(channel, pack(m));
    } catch (const rondo::channels_unavailable& e) {
        rondo::log::warning(fmt::format("message {} was not told to the others: {}", m.id, e.what()));
    }
}

void feed::hear(std::string_view packed) {
    if (const std::optional<message> m = unpack(packed)) store_.take(*m);
    catch_up();
}

rondo::task<void> feed::follow() {
    rondo::subscription told = told_.open({.report_gaps = true});
    co_await told.add(channel);
    co_await rondo::run_blocking([this] { catch_up(); });
    while (true) {
        const rondo::channel_message next = co_await told.next();
        co_await rondo::run_blocking([this, &next] { hear(next.bytes()); });
    }
}

void feed::remember(const message& m) {
    const std::scoped_lock held(mutex_);
    recent_.push_back(m);
    if (recent_.size() <= remembered) return;
    forgotten_ = recent_.front().id;
    recent_.pop_front();
}

std::vector<message> feed::after(std::int64_t id, std::size_t limit) {
    if (auto found = recent_after(id, limit)) return *std::move(found);
    return store_.after(id, limit);
}

std::vector<message> feed::before(std::int64_t id, std::size_t limit) {
    if (auto found = recent_before(id, limit)) return *std::move(found);
    return store_.before(id, limit);
}

rondo::task<std::vector<message>> feed::wait_after(std::int64_t id, std::size_t limit, rondo::clock::duration most) {
    (void)co_await news_.wait_past(static_cast<std::uint64_t>(id), most);
    if (auto found = recent_after(id, limit)) co_return *std::move(found);
    co_return co_await rondo::run_blocking([this, id, limit] { return store_.after(id, limit); });
}

std::optional<std::vector<message>> feed::recent_after(std::int64_t id, std::size_t limit) {
    const std::scoped_lock held(mutex_);
    if (id < forgotten_) return std::nullopt;
    const auto first = std::ranges::upper_bound(recent_, id, {}, &message::id);
    const auto count = std::min(limit, static_cast<std::size_t>(recent_.end() - first));
    return std::vector<message>(first, first + static_cast<std::ptrdiff_t>(count));
}

std::optional<std::vector<message>> feed::recent_before(std::int64_t id, std::size_t limit) {
    const std::scoped_lock held(mutex_);
    const auto end = std::ranges::lower_bound(recent_, id, {}, &message::id);
    const auto count = static_cast<std::size_t>(end - recent_.begin());
    if (count < limit && forgotten_ > 0) return std::nullopt;
    const auto first = end - static_cast<std::ptrdiff_t>(std::min(count, limit));
    return std::vector<message>(std::make_reverse_iterator(end), std::make_reverse_iterator(first));
}

}  // namespace message_board
