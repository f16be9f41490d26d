// SPDX-License-Identifier: Apache-2.0
// Stats that an object such as a database or a cache publishes for the worker's stats.
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
struct metric_descriptor {
    std::string_view name;    ///< "hits": lower case, words joined by _
    std::string_view help;    ///< a sentence
    bool is_counter = true;   ///< true: a counter; false: a gauge
    bool is_seconds = false;  ///< a time: stored in nanoseconds, reported in seconds
};

/// Publishes the stats of an object that views use (a database, a cache, ...). Registered in one list per process from
/// construction to destruction; to be declared as the last member of the object. Any thread.
class stats_source {
public:
    /// Writes the current values, one per descriptor; false when there are none yet. Called on any thread, also while
    /// the object is used on others; must not block or throw.
    using read_function = std::function<bool(std::span<std::uint64_t> values)>;

    /// `group` ("cache") and `descriptors` must have static lifetime. `name` distinguishes sources of a group, and is
    /// called once there are values; values of the same name are added up.
    stats_source(std::string_view group, std::span<const metric_descriptor> descriptors,
                 std::function<std::string()> name, read_function read);
    ~stats_source();
    stats_source(const stats_source&) = delete;
    stats_source& operator=(const stats_source&) = delete;

    struct snapshot {
        std::string_view group;
        std::string name;
        std::span<const metric_descriptor> descriptors;
        std::vector<std::uint64_t> values;  ///< one per descriptor; counters include those of destroyed sources
    };
    /// The values of all sources of this process.
    [[nodiscard]] static std::vector<snapshot> snapshot_all();

private:
    struct registry;
    [[nodiscard]] static registry& instance();
    void add_values_to(std::vector<snapshot>& to, bool counters_only) const;

    std::string_view group_;
    std::span<const metric_descriptor> descriptors_;
    std::function<std::string()> name_;
    read_function read_;
};

}  // namespace rondo
