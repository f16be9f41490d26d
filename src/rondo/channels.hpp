// SPDX-License-Identifier: Apache-2.0
/// Messages between views, workers and machines; a cache.
#pragma once

#include <rondo/channels/cache.hpp>
#include <rondo/channels/channels.hpp>
