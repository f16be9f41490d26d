// SPDX-License-Identifier: Apache-2.0
#include <rondo/stats/stats_source.hpp>

#include <algorithm>
#include <mutex>
#include <utility>

namespace rondo {

struct observed::list {
    std::mutex mutex;
    std::vector<const observed*> here;
    std::vector<figures> gone;  ///< the counters of destroyed sources
};

// Never destroyed: sources with static storage may be destroyed later.
observed::list& observed::all() {
    static list& sources = *new list;
    return sources;
}

observed::observed(std::string_view group, std::span<const figure_text> texts, std::function<std::string()> name,
                   reader read)
    : group_(group), texts_(texts), name_(std::move(name)), read_(std::move(read)) {
    list& l = all();
    const std::scoped_lock lock(l.mutex);
    l.here.push_back(this);
}

observed::~observed() {
    list& l = all();
    const std::scoped_lock lock(l.mutex);
    std::erase(l.here, this);
    try {
        add_to(l.gone, true);
    } catch (const std::exception&) {
        // Its last counts are lost.
    }
}

void observed::add_to(std::vector<figures>& to, bool counters_only) const {
    std::vector<std::uint64_t> values(texts_.size());
    if (!read_(values)) return;
    const std::string name = name_ ? name_() : std::string();
    auto entry = std::ranges::find_if(to, [&](const figures& f) { return f.group == group_ && f.name == name; });
    if (entry == to.end())
        entry = to.insert(to.end(), {group_, name, texts_, std::vector<std::uint64_t>(texts_.size())});
    for (std::size_t i = 0; i < texts_.size(); ++i)
        if (texts_[i].counts || !counters_only) entry->values[i] += values[i];
}

std::vector<observed::figures> observed::look() {
    list& l = all();
    const std::scoped_lock lock(l.mutex);
    std::vector<figures> result = l.gone;
    for (const observed* o : l.here) {
        try {
            o->add_to(result, false);
        } catch (const std::exception&) {
            // Its name is not known yet: it is included later.
        }
    }
    return result;
}

}  // namespace rondo
