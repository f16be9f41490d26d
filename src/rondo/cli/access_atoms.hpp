// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

#include <rondo/web/access_log.hpp>

namespace rondo::detail {

using append_atom = void (*)(std::string& out, const access_entry& entry, std::int64_t unix_time,
                             const std::string& text);

/// How the atom of this name is written; null when there is none. "{}i", "{}o" and "{}e" are those with a name in
/// braces.
[[nodiscard]] append_atom find_atom(std::string_view name) noexcept;
/// All of them, for a message.
[[nodiscard]] std::string atom_names();

/// `text` as it is.
void append_literal(std::string& out, const access_entry&, std::int64_t, const std::string& text);

/// "2026-11-23T08:38:50Z". Holds until the next call of this thread.
[[nodiscard]] std::string_view iso_time(std::int64_t unix_time);

template <class Number>
void append_number(std::string& out, Number n) {
    char text[24];
    out.append(text, std::to_chars(text, text + sizeof text, n).ptr);
}
/// 78 is "0.078".
void append_thousandths(std::string& out, std::int64_t n);

}  // namespace rondo::detail
