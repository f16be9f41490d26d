// SPDX-License-Identifier: Apache-2.0
// The atoms that access log formats are made of, such as %(h)s and %(s)s.
#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

#include <rondo/web/access_log.hpp>

namespace rondo::detail {

using atom_writer = void (*)(std::string& out, const access_entry& entry, std::int64_t unix_time,
                             const std::string& text);

/// The function that appends the atom of this name; null for an unknown one. "{}i", "{}o" and "{}e" are the atoms that
/// contain a name in braces.
[[nodiscard]] atom_writer find_atom(std::string_view name) noexcept;
/// The names of all atoms, for an error message.
[[nodiscard]] std::string atom_names();

/// Appends `text` unchanged.
void append_literal(std::string& out, const access_entry&, std::int64_t, const std::string& text);

/// "2026-11-23T08:38:50Z". Valid until the next call on this thread.
[[nodiscard]] std::string_view iso_time(std::int64_t unix_time);

/// Appends a number in decimal.
template <class Number>
void append_decimal(std::string& out, Number n) {
    char text[24];
    out.append(text, std::to_chars(text, text + sizeof text, n).ptr);
}
/// Appends 78 as "0.078".
void append_thousandths(std::string& out, std::int64_t n);

}  // namespace rondo::detail
