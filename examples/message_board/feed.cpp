// SPDX-License-Identifier: Apache-2.0
#include "feed.hpp"

#include <algorithm>
#include <iterator>
#include <limits>

#include <fmt/format.h>

#include <rondo/base/log.hpp>
#include <rondo/loop/thread_pool.hpp>

namespace message_board {
namespace {

constexpr std::size_t recent_limit = 500, read_limit = 500;
constexpr const char* channel = "message_board";

}  // namespace

feed::feed(const std::string& path, rondo::channels& channels) : store_(path), channels_(channels) {
    std::vector<message> newest = store_.before(std::numeric_limits<std::int64_t>::max(), recent_limit);
    // There may be older ones; the newest of them has at most the id before.
    if (newest.size() == recent_limit) evicted_id_ = newest.back().id - 1;
    std::ranges::copy(newest.rbegin(), newest.rend(), std::back_inserter(recent_));
    if (!recent_.empty()) last_id_.advance_to(static_cast<std::uint64_t>(recent_.back().id));
}

message feed::add(const draft& d) {
    message added = store_.add(d);
    catch_up();
    publish(added);
    return added;
}

void feed::catch_up() {
    const std::scoped_lock lock(catch_up_mutex_);
    while (true) {
        const std::vector<message> unread = store_.after(last(), read_limit);
        for (const message& m : unread) append_recent(m);
        if (unread.empty()) return;
        last_id_.advance_to(static_cast<std::uint64_t>(unread.back().id));
    }
}

// The message is stored in any case: the other workers find it when they next read the file.
void feed::publish(const message& m) {
    try {
        channels_.publish_sync(channel, pack(m));
    } catch (const rondo::channels_unavailable& e) {
        rondo::log::warning(fmt::format("message {} was not published to other processes: {}", m.id, e.what()));
    }
}

void feed::on_message(std::string_view packed) {
    if (const std::optional<message> m = unpack(packed)) store_.add_remote(*m);
    catch_up();
}

rondo::task<void> feed::receive() {
    rondo::subscription subscription = channels_.open({.report_gaps = true});
    co_await subscription.subscribe(channel);
    co_await rondo::run_blocking([this] { catch_up(); });
    while (true) {
        const rondo::channel_message next = co_await subscription.next();
        co_await rondo::run_blocking([this, &next] { on_message(next.bytes()); });
    }
}

void feed::append_recent(const message& m) {
    const std::scoped_lock lock(recent_mutex_);
    recent_.push_back(m);
    if (recent_.size() <= recent_limit) return;
    evicted_id_ = recent_.front().id;
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

rondo::task<std::vector<message>> feed::wait_after(std::int64_t id, std::size_t limit, rondo::clock::duration timeout) {
    (void)co_await last_id_.wait_past(static_cast<std::uint64_t>(id), timeout);
    if (auto found = recent_after(id, limit)) co_return *std::move(found);
    co_return co_await rondo::run_blocking([this, id, limit] { return store_.after(id, limit); });
}

std::optional<std::vector<message>> feed::recent_after(std::int64_t id, std::size_t limit) {
    const std::scoped_lock lock(recent_mutex_);
    if (id < evicted_id_) return std::nullopt;
    const auto first = std::ranges::upper_bound(recent_, id, {}, &message::id);
    const auto count = std::min(limit, static_cast<std::size_t>(recent_.end() - first));
    return std::vector<message>(first, first + static_cast<std::ptrdiff_t>(count));
}

std::optional<std::vector<message>> feed::recent_before(std::int64_t id, std::size_t limit) {
    const std::scoped_lock lock(recent_mutex_);
    const auto end = std::ranges::lower_bound(recent_, id, {}, &message::id);
    const auto count = static_cast<std::size_t>(end - recent_.begin());
    if (count < limit && evicted_id_ > 0) return std::nullopt;
    const auto first = end - static_cast<std::ptrdiff_t>(std::min(count, limit));
    return std::vector<message>(std::make_reverse_iterator(end), std::make_reverse_iterator(first));
}

}  // namespace message_board
