// SPDX-License-Identifier: Apache-2.0
// The samples of the HTTP client.
#pragma once

#include <rondo/web.hpp>

/// Views that call other servers; in this example they call the application itself.
rondo::app calls();
