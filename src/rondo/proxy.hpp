// SPDX-License-Identifier: Apache-2.0
// The reverse proxy: a view that forwards requests to another server.
#pragma once

#include <rondo/contrib/proxy.hpp>
