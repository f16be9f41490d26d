// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace rondo::codec {

/// Whether a value of this name is nobody's business: it holds "password", "passwd", "passphrase", "pwd", "secret",
/// "token", "credential" or "api" and "key", in any case, also percent-encoded.
[[nodiscard]] bool names_secret(std::string_view name);

/// Whether a setting of this name holds a URL: one of its words is "url", "uri", "dsn", "proxy", "upstream" or the
/// plural of one.
[[nodiscard]] bool names_url(std::string_view name);

/// Running text for a log, an error message or a screen: in every URL what stands between the first ':' of the user
/// information and the last '@', and the value of every NAME=VALUE whose name names_secret(), is "***". Whoever writes
/// a password into a URL forgets to encode it, so an '@', '/', '?' or quote does not end it: rather too much is hidden.
[[nodiscard]] std::string without_secrets(std::string_view text);

/// A text that is a URL as a whole, or was meant to be one, for the same places: everything from the first ':' behind
/// the scheme (from the first one when there is no "scheme://") to the last '@' is "***", whatever stands there, and so
/// are values as in without_secrets(), up to the next NAME=. Only what follows "sqlite:" or "unix:" is a path. A
/// sentence that quotes such a text quotes this.
[[nodiscard]] std::string redacted_url(std::string_view url);

}  // namespace rondo::codec
