// SPDX-License-Identifier: Apache-2.0
#include <rondo/stats/client_library_stats.hpp>

#include <new>
#include <utility>

namespace rondo::stats {

std::uint64_t resource_reader::before(const observed::figures& now, std::size_t i) const noexcept {
    for (const observed::figures& b : before_)
        if (b.group == now.group && b.name == now.name) return b.values[i];
    return 0;
}

void resource_reader::look(statistics& to) noexcept {
    try {
        add_since_last(to);
    } catch (const std::bad_alloc&) {
        // The next sample() makes up for it.
    }
}

void resource_reader::add_since_last(statistics& to) {
    std::vector<observed::figures> now = observed::look();
    for (const observed::figures& f : now) {
        for (std::size_t i = 0; i < f.texts.size(); ++i) {
            resource_figure* const row = to.resource_of(f.group, f.name, f.texts[i]);
            if (row == nullptr) continue;
            if (!f.texts[i].counts) set_to(row->value, f.values[i]);
            else if (f.values[i] > before(f, i)) add_to(row->value, f.values[i] - before(f, i));
        }
    }
    before_ = std::move(now);
}

}  // namespace rondo::stats
