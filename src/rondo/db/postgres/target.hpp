// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rondo/db/postgres/connection.hpp>

namespace rondo::db::postgres {

/// Where to connect to, as libpq wants it, and for people.
struct target {
    connect_parameters parameters;
    std::string options;    ///< for the start of a connection: those of the URL and the pinned settings
    bool own_zone = false;  ///< the URL's options say TimeZone
    std::string shown;
    /// Parts of the URL that no message may quote, as they stand there and decoded: the password, which may have been
    /// read as something else, and what follows the name of one.
    std::vector<std::string> secrets;
    bool holds_quote = false;  ///< the URL: then it cannot be seen where a message ends to quote it

    /// `parameters`, or the same with addresses, and the options.
    [[nodiscard]] connect_parameters with_options(connect_parameters to) const;
    /// A message of libpq without what it quotes of the password.
    [[nodiscard]] std::string without_secret(std::string message) const;
    /// Whether a message must not quote this text.
    [[nodiscard]] bool is_secret(std::string_view text) const;
};

/// A setting that changes how a value is written or read, and what it has to be here: times in UTC and in the form of
/// ISO 8601, and everything else as PostgreSQL does it when nobody has changed it, with all digits.
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

/// Throws std::invalid_argument with a sentence for a URL that libpq does not understand.
[[nodiscard]] target parse_target(const std::string& url);

/// Whether there is a host whose addresses must be asked for, which may block.
[[nodiscard]] bool needs_resolving(const connect_parameters& parameters);
/// The same with the addresses of its hosts; blocks. Nothing when one is unknown: then `message` says why.
[[nodiscard]] std::optional<connect_parameters> resolve(const connect_parameters& parameters, std::string& message);

}  // namespace rondo::db::postgres
