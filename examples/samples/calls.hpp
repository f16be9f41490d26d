// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rondo/web.hpp>

/// Views that call other servers: here the tour itself.
rondo::app calls();
