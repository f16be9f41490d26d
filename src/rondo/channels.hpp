// SPDX-License-Identifier: Apache-2.0
/// Messages between views, workers and machines.
#pragma once

#include <rondo/channels/channels.hpp>
