// SPDX-License-Identifier: Apache-2.0
// All an application needs to call other servers over HTTP.
#pragma once

#include <rondo/client/client.hpp>
