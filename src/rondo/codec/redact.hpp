// SPDX-License-Identifier: Apache-2.0
// Hides passwords and other secrets in URLs and text.
#pragma once

#include <string>
#include <string_view>

namespace rondo::codec {

/// True when a value of this name is secret: the name contains "password", "passwd", "passphrase", "pwd", "secret",
/// "token", "credential" or both "api" and "key", in any case, also percent-encoded.
[[nodiscard]] bool is_secret_name(std::string_view name);

/// True when a setting of this name contains a URL: one of its words is "url", "uri", "dsn", "proxy", "upstream" or the
/// plural of one.
[[nodiscard]] bool is_url_name(std::string_view name);

/// Redacts running text for a log, error message or terminal. Replaces by "***" in every URL the part between the first
/// ':' of the user information and the last '@', and the value of every NAME=VALUE with an is_secret_name(). Passwords
/// in URLs are often not encoded, so an '@', '/', '?' or quote does not end one: it hides too much rather than too
/// little.
[[nodiscard]] std::string redacted_text(std::string_view text);

/// Redacts a text that is, or was meant to be, a single URL. Replaces by "***" everything from the first ':' after
/// "scheme://" (without that, from the first ':') to the last '@', and values as in redacted_text(), up to the next
/// NAME=. What follows "sqlite:" or "unix:" is a path without a password. Messages that quote a URL must use this.
[[nodiscard]] std::string redacted_url(std::string_view url);

}  // namespace rondo::codec
