// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rondo/web/app.hpp>

namespace testbed {

/// Adds views that pass requests on to the server whose URL is in TESTBED_UPSTREAM, in every way there is: a proxy
/// view, the client in async and sync views, whole and in pieces. None of them without the variable.
void add_calls(rondo::app& to);

}  // namespace testbed
