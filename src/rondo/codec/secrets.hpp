// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace rondo::codec {

/// Whether a value of this name is nobody's business: it holds "password", "passwd", "passphrase", "pwd", "secret",
/// "token", "credential" or "api" and "key", in any case, also percent-encoded.
[[nodiscard]] bool names_secret(std::string_view name);

/// `text` for a log, an error message or a screen: in every URL what stands between the first ':' of the user
/// information and the last '@', and the value of every NAME=VALUE whose name names_secret(), is "***". Whoever writes
/// a password into a URL forgets to encode it, so an '@', '/' or '?' does not end it: rather too much is hidden.
[[nodiscard]] std::string without_secrets(std::string_view text);

}  // namespace rondo::codec
