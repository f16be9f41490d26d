// SPDX-License-Identifier: Apache-2.0
// Registry of objects that publish stats, such as databases and caches.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rondo {

/// Describes a metric of a stats_source.
struct figure_text {
    std::string_view name;  ///< "hits": lower case, words joined by _
    std::string_view help;  ///< a sentence
    bool counts = true;     ///< true: a counter; false: a gauge
    bool seconds = false;   ///< a time: stored in nanoseconds, reported in seconds
};

/// Publishes the stats of an object that views use (a database, a cache, ...). Registered in one list per process from
/// construction to destruction; to be declared as the last member of the object. Any thread.
class observed {
public:
    /// Writes the current values, one per descriptor; false when there are none yet. Called on any thread, also while
    /// the object is used on others; must not block or throw.
    using reader = std::function<bool(std::span<std::uint64_t> values)>;

    /// `group` ("cache") and `texts` must have static lifetime. `name` distinguishes sources of a group, and is called
    /// once there are values; values of the same name are added up.
    observed(std::string_view group, std::span<const figure_text> texts, std::function<std::string()> name,
             reader read);
    ~observed();
    observed(const observed&) = delete;
    observed& operator=(const observed&) = delete;

    struct figures {
        std::string_view group;
        std::string name;
        std::span<const figure_text> texts;
        std::vector<std::uint64_t> values;  ///< one per descriptor; counters include those of destroyed sources
    };
    /// The values of all sources of this process.
    [[nodiscard]] static std::vector<figures> look();

private:
    struct list;
    [[nodiscard]] static list& all();
    void add_to(std::vector<figures>& to, bool counters_only) const;

    std::string_view group_;
    std::span<const figure_text> texts_;
    std::function<std::string()> name_;
    reader read_;
};

}  // namespace rondo
