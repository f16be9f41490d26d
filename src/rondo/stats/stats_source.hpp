// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rondo {

/// A figure of something that counts.
struct figure_text {
    std::string_view name;  ///< "hits": lower case, words joined by _
    std::string_view help;  ///< a sentence
    bool counts = true;     ///< it only grows; else it is what is so now
    bool seconds = false;   ///< a time: kept in nanoseconds, told in seconds
};

/// Something that views use and that counts (a database, a cache, ...), as operators are told of it. All of one process
/// are in one list, in which each is from its construction to its destruction: a member, declared last, of what it
/// tells about. Any thread.
class observed {
public:
    /// Writes the figures of now, one for each text; false when there is nothing to tell yet. Called on any thread,
    /// also while what it tells about is used on others; waits for nothing and throws nothing.
    using reader = std::function<bool(std::span<std::uint64_t> to)>;

    /// `group` ("cache") and `texts` must live forever. `name` tells several of a group apart, and is asked for once
    /// there is something to tell; figures of the same name are added up.
    observed(std::string_view group, std::span<const figure_text> texts, std::function<std::string()> name,
             reader read);
    ~observed();
    observed(const observed&) = delete;
    observed& operator=(const observed&) = delete;

    struct figures {
        std::string_view group;
        std::string name;
        std::span<const figure_text> texts;
        std::vector<std::uint64_t> values;  ///< of each text; what was counted by those that are gone is in them
    };
    /// All of this process.
    [[nodiscard]] static std::vector<figures> look();

private:
    struct list;
    [[nodiscard]] static list& all();
    void add_to(std::vector<figures>& to, bool counts_only) const;

    std::string_view group_;
    std::span<const figure_text> texts_;
    std::function<std::string()> name_;
    reader read_;
};

}  // namespace rondo
