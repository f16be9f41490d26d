// SPDX-License-Identifier: Apache-2.0
// The subscriptions of one process: delivers messages to the mailboxes of subscribers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <rondo/channels/mailbox.hpp>

namespace rondo::channels_detail {

/// Whether `name` matches the pattern: `*` matches any bytes, `?` one, everything else itself.
[[nodiscard]] bool matches(std::string_view pattern, std::string_view name) noexcept;

/// The subscribers of this process by name and pattern. Thread-safe.
class hub {
public:
    using mailbox_ptr = std::shared_ptr<mailbox>;
    /// Called under the hub's mutex when a name gets its first subscriber (true) or loses its last (false).
    using change_callback = std::move_only_function<void(std::string_view name, bool pattern, bool subscribed)>;

    explicit hub(change_callback on_change = {}) : on_change_(std::move(on_change)) {}

    /// False when the mailbox is subscribed already.
    bool add(const mailbox_ptr& to, std::string_view name, bool pattern);
    void remove(const mailbox_ptr& from, std::string_view name, bool pattern);
    /// Removes the mailbox from all names and patterns.
    void remove(const mailbox_ptr& from);

    /// Delivers once to each mailbox with a matching name or pattern.
    void deliver(const std::shared_ptr<const message_body>& body);
    /// For a server that sends a message per name and per pattern: together equivalent to deliver().
    void deliver_by_name(const std::shared_ptr<const message_body>& body);
    void deliver_by_pattern(std::string_view pattern, const std::shared_ptr<const message_body>& body);
    /// Notifies all subscribers that messages may have been lost.
    void mark_gap();

    [[nodiscard]] std::size_t subscriptions() const;  ///< names and patterns, counted per subscriber
    [[nodiscard]] std::uint64_t delivered() const;
    [[nodiscard]] std::uint64_t dropped() const;

private:
    struct text_hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>()(text); }
    };
    using table = std::unordered_map<std::string, std::vector<mailbox_ptr>, text_hash, std::equal_to<>>;

    void put(const mailbox_ptr& to, const std::shared_ptr<const message_body>& body);
    void erase_entry(const mailbox_ptr& from, const mailbox::entry& removed);

    mutable std::mutex mutex_;
    table names_;
    table patterns_;
    change_callback on_change_;
    std::size_t subscriptions_ = 0;
    std::uint64_t sequence_ = 0;
    std::uint64_t delivered_ = 0;
    std::uint64_t dropped_ = 0;
};

}  // namespace rondo::channels_detail
