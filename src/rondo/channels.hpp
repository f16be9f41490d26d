// SPDX-License-Identifier: Apache-2.0
// All an application needs for channels (messages between views, workers and machines) and for the cache.
#pragma once

#include <rondo/channels/cache.hpp>
#include <rondo/channels/channels.hpp>
