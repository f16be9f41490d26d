// SPDX-License-Identifier: Apache-2.0
// Where and how to connect: libpq parameters, pinned settings, host resolution, and secrets to hide in messages.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rondo/db/postgres/connection.hpp>

namespace rondo::db::postgres {

/// A connection target: as libpq parameters and for display.
struct connect_target {
    connect_parameters parameters;
    std::string options;             ///< startup options: those of the URL and the pinned settings
    bool has_own_time_zone = false;  ///< the URL's options set TimeZone
    std::string display_url;
    /// Parts of the URL that messages must not quote, encoded and decoded: the password, which libpq may have parsed as
    /// something else, and the values of parameters named like secrets.
    std::vector<std::string> secrets;
    bool has_quote = false;  ///< the URL contains a quote: the end of quotations in messages is ambiguous

    /// Returns `to` (`parameters`, possibly with addresses) with the options added.
    [[nodiscard]] connect_parameters with_options(connect_parameters to) const;
    /// Returns a libpq message with quoted parts of the password removed.
    [[nodiscard]] std::string redact(std::string message) const;
    /// Whether messages must not quote this text.
    [[nodiscard]] bool is_secret(std::string_view text) const;
};

/// A setting that changes how values are written or read, and its required value: times in UTC and ISO 8601 format,
/// everything else as PostgreSQL does by default, with all digits.
struct pinned_setting {
    const char* name;
    const char* value;
};
inline constexpr pinned_setting pinned_settings[] = {
    {"TimeZone", "UTC"},
    {"DateStyle", "ISO"},
    {"IntervalStyle", "postgres"},
    {"extra_float_digits", "3"},
    {"bytea_output", "hex"},
    {"lc_monetary", "C"},
    {"array_nulls", "on"},
    {"quote_all_identifiers", "off"},
    {"standard_conforming_strings", "on"},
    {"xmlbinary", "base64"},
    {"xmloption", "content"},
};

/// Throws std::invalid_argument with a user-facing message for a URL that libpq does not accept.
[[nodiscard]] connect_target parse_target(const std::string& url);

/// Whether a host name must be resolved, which may block.
[[nodiscard]] bool needs_resolving(const connect_parameters& parameters);
/// Returns the parameters with the addresses of their hosts. Blocks. Returns std::nullopt and sets `message` when no
/// host can be resolved.
[[nodiscard]] std::optional<connect_parameters> resolve_hosts(const connect_parameters& parameters,
                                                              std::string& message);

}  // namespace rondo::db::postgres
