// SPDX-License-Identifier: Apache-2.0
#include <rondo/channels/hub.hpp>

#include <algorithm>
#include <utility>

namespace rondo::channels_detail {

bool matches(std::string_view pattern, std::string_view name) noexcept {
    std::size_t p = 0;
    std::size_t n = 0;
    std::size_t star = std::string_view::npos;  // the last '*'
    std::size_t from = 0;                       // position in the name where its match ends
    while (n < name.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            from = n;
        } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n])) {
            ++p;
            ++n;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            n = ++from;
        } else {
            return false;
        }
    }
    return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

namespace {

bool has_entry(const mailbox& box, std::string_view name, bool pattern) {
    return std::ranges::any_of(box.entries, [&](const auto& e) { return e.pattern == pattern && e.name == name; });
}

// Whether this is the pattern to deliver for, when several patterns of the mailbox match.
bool is_first_match(const mailbox& box, std::string_view pattern, std::string_view name) {
    const auto first =
        std::ranges::find_if(box.entries, [&](const auto& e) { return e.pattern && matches(e.name, name); });
    return first != box.entries.end() && first->name == pattern && !has_entry(box, name, false);
}

}  // namespace

bool hub::add(const mailbox_ptr& to, std::string_view name, bool pattern) {
    const std::scoped_lock lock(mutex_);
    if (has_entry(*to, name, pattern)) return false;
    table& subscribers = pattern ? patterns_ : names_;
    auto [found, added] = subscribers.try_emplace(std::string(name));
    found->second.push_back(to);
    ++subscriptions_;
    to->entries.push_back({std::string(name), pattern});
    if (added && on_change_) on_change_(name, pattern, true);
    return true;
}

void hub::erase_entry(const mailbox_ptr& from, const mailbox::entry& removed) {
    table& subscribers = removed.pattern ? patterns_ : names_;
    const auto found = subscribers.find(removed.name);
    if (found == subscribers.end()) return;
    subscriptions_ -= std::erase(found->second, from);
    if (!found->second.empty()) return;
    subscribers.erase(found);
    if (on_change_) on_change_(removed.name, removed.pattern, false);
}

void hub::remove(const mailbox_ptr& from, std::string_view name, bool pattern) {
    const std::scoped_lock lock(mutex_);
    const auto found =
        std::ranges::find_if(from->entries, [&](const auto& e) { return e.pattern == pattern && e.name == name; });
    if (found == from->entries.end()) return;
    const mailbox::entry removed = std::move(*found);
    from->entries.erase(found);
    erase_entry(from, removed);
}

void hub::remove(const mailbox_ptr& from) {
    const std::scoped_lock lock(mutex_);
    for (const mailbox::entry& e : std::exchange(from->entries, {})) erase_entry(from, e);
}

void hub::put(const mailbox_ptr& to, const std::shared_ptr<const message_body>& body) {
    ++delivered_;
    dropped_ += to->put(body);
}

void hub::deliver(const std::shared_ptr<const message_body>& body) {
    const std::scoped_lock lock(mutex_);
    const std::uint64_t sequence = ++sequence_;
    const auto put_once = [&](const mailbox_ptr& to) {
        if (std::exchange(to->last_sequence, sequence) != sequence) put(to, body);
    };
    if (const auto found = names_.find(body->channel); found != names_.end())
        for (const mailbox_ptr& to : found->second) put_once(to);
    for (const auto& [pattern, boxes] : patterns_) {
        if (!matches(pattern, body->channel)) continue;
        for (const mailbox_ptr& to : boxes) put_once(to);
    }
}

void hub::deliver_by_name(const std::shared_ptr<const message_body>& body) {
    const std::scoped_lock lock(mutex_);
    if (const auto found = names_.find(body->channel); found != names_.end())
        for (const mailbox_ptr& to : found->second) put(to, body);
}

void hub::deliver_by_pattern(std::string_view pattern, const std::shared_ptr<const message_body>& body) {
    const std::scoped_lock lock(mutex_);
    if (const auto found = patterns_.find(pattern); found != patterns_.end()) {
        for (const mailbox_ptr& to : found->second)
            if (is_first_match(*to, pattern, body->channel)) put(to, body);
    }
}

void hub::mark_gap() {
    const std::scoped_lock lock(mutex_);
    for (const table* subscribers : {&names_, &patterns_})
        for (const auto& [name, boxes] : *subscribers)
            for (const mailbox_ptr& to : boxes) to->mark_gap();
}

std::size_t hub::subscriptions() const {
    const std::scoped_lock lock(mutex_);
    return subscriptions_;
}

std::uint64_t hub::delivered() const {
    const std::scoped_lock lock(mutex_);
    return delivered_;
}

std::uint64_t hub::dropped() const {
    const std::scoped_lock lock(mutex_);
    return dropped_;
}

}  // namespace rondo::channels_detail
