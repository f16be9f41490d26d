// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/settings/spelling_suggestion.hpp>

#include <algorithm>
#include <vector>

namespace rondo::cli {

namespace {

// Optimal string alignment distance: swapping two adjacent letters is one edit.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
    for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
    for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t changed = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            d[i][j] = std::min({changed, d[i - 1][j] + 1, d[i][j - 1] + 1});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
        }
    }
    return d[a.size()][b.size()];
}

}  // namespace

std::string_view spelling_suggestion(std::string_view written, std::span<const std::string_view> names) {
    // The cost is quadratic, and names are short.
    if (written.size() > 64) return {};
    std::string_view best;
    std::size_t best_distance = std::max<std::size_t>(1, written.size() / 3) + 1;
    for (std::string_view name : names) {
        const std::size_t edits = edit_distance(written, name);
        if (edits >= best_distance) continue;
        best_distance = edits;
        best = name;
    }
    return best;
}

}  // namespace rondo::cli
