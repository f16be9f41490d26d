// SPDX-License-Identifier: Apache-2.0
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

/// True when `name` is what the pattern stands for: `*` is any bytes, `?` one, everything else itself.
[[nodiscard]] bool matches(std::string_view pattern, std::string_view name) noexcept;

/// Who in this process subscribed to what. Any thread.
class hub {
public:
    using box = std::shared_ptr<mailbox>;
    /// Called under the hub's mutex when a name gets its first subscriber (true) or lost its last (false).
    using watcher = std::move_only_function<void(std::string_view name, bool pattern, bool wanted)>;

    explicit hub(watcher changed = {}) : changed_(std::move(changed)) {}

    /// False when it is subscribed already.
    bool add(const box& to, std::string_view name, bool pattern);
    void remove(const box& from, std::string_view name, bool pattern);
    /// From everything.
    void remove(const box& from);

    /// To everyone whose name or pattern fits, once each.
    void deliver(const std::shared_ptr<const message_body>& body);
    /// For a server that tells per name and per pattern: together they are as deliver().
    void deliver_by_name(const std::shared_ptr<const message_body>& body);
    void deliver_by_pattern(std::string_view pattern, const std::shared_ptr<const message_body>& body);
    /// Tells everyone that messages may have been lost.
    void mark_gap();

    [[nodiscard]] std::size_t subscriptions() const;  ///< names and patterns, each counted once per subscriber
    [[nodiscard]] std::uint64_t delivered() const;
    [[nodiscard]] std::uint64_t dropped() const;

private:
    struct text_hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>()(text); }
    };
    using table = std::unordered_map<std::string, std::vector<box>, text_hash, std::equal_to<>>;

    void put(const box& to, const std::shared_ptr<const message_body>& body);
    void drop(const box& from, const mailbox::entry& what);

    mutable std::mutex mutex_;
    table names_;
    table patterns_;
    watcher changed_;
    std::size_t subscriptions_ = 0;
    std::uint64_t sequence_ = 0;
    std::uint64_t delivered_ = 0;
    std::uint64_t dropped_ = 0;
};

}  // namespace rondo::channels_detail
