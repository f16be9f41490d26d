// SPDX-License-Identifier: Apache-2.0
// Views that call another server with the HTTP client.
#pragma once

#include <rondo/web/app.hpp>

namespace testbed {

/// Adds views that forward requests to the server whose URL is in TESTBED_UPSTREAM, in every available way: a proxy
/// view, and the client in async and sync views, with whole and streamed bodies. Without the variable it adds none.
void add_calls(rondo::app& to);

}  // namespace testbed
