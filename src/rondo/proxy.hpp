// SPDX-License-Identifier: Apache-2.0
#pragma once

/// A view that forwards requests to another server.
#include <rondo/contrib/proxy.hpp>
