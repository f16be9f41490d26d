// SPDX-License-Identifier: Apache-2.0
// All an application needs for databases: PostgreSQL and SQLite.
#pragma once

#include <rondo/codec/describe.hpp>
#include <rondo/contrib/app_database.hpp>
#include <rondo/db/database.hpp>
#include <rondo/db/migrations.hpp>
