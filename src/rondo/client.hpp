// SPDX-License-Identifier: Apache-2.0
#pragma once

/// All an application needs to call other servers over HTTP.
#include <rondo/client/client.hpp>
