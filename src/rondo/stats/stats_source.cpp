// SPDX-License-Identifier: Apache-2.0
#include <rondo/stats/stats_source.hpp>

#include <algorithm>
#include <mutex>
#include <utility>

namespace rondo {

struct observed::list {
    std::mutex mutex;
    std::vector<const observed*> here;
    std::vector<figures> gone;  ///< what they counted
};

// Never destroyed: objects of static storage may end after it would.
observed::list& observed::all() {
    static list& known = *new list;
    return known;
}

observed::observed(std::string_view group, std::span<const figure_text> texts, std::function<std::string()> name,
                   reader read)
    : group_(group), texts_(texts), name_(std::move(name)), read_(std::move(read)) {
    list& l = all();
    const std::scoped_lock held(l.mutex);
    l.here.push_back(this);
}

observed::~observed() {
    list& l = all();
    const std::scoped_lock held(l.mutex);
    std::erase(l.here, this);
    try {
        add_to(l.gone, true);
    } catch (const std::exception&) {
        // Its last counts are not told.
    }
}

void observed::add_to(std::vector<figures>& to, bool counts_only) const {
    std::vector<std::uint64_t> values(texts_.size());
    if (!read_(values)) return;
    const std::string name = name_ ? name_() : std::string();
    auto place = std::ranges::find_if(to, [&](const figures& f) { return f.group == group_ && f.name == name; });
    if (place == to.end())
        place = to.insert(to.end(), {group_, name, texts_, std::vector<std::uint64_t>(texts_.size())});
    for (std::size_t i = 0; i < texts_.size(); ++i)
        if (texts_[i].counts || !counts_only) place->values[i] += values[i];
}

std::vector<observed::figures> observed::look() {
    list& l = all();
    const std::scoped_lock held(l.mutex);
    std::vector<figures> now = l.gone;
    for (const observed* o : l.here) {
        try {
            o->add_to(now, false);
        } catch (const std::exception&) {
            // A name that cannot be asked for yet: it is told of later.
        }
    }
    return now;
}

}  // namespace rondo
