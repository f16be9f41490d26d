// SPDX-License-Identifier: Apache-2.0
// All an application needs for the web; the test client is in <rondo/web/test_client.hpp>.
#pragma once

#include <rondo/cli/run.hpp>
#include <rondo/codec/json.hpp>
#include <rondo/coro/async_generator.hpp>
#include <rondo/coro/event.hpp>
#include <rondo/coro/generator.hpp>
#include <rondo/http/cookie.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/loop/notifier.hpp>
#include <rondo/loop/thread_pool.hpp>
#include <rondo/loop/wait_for.hpp>
#include <rondo/web/app.hpp>
#include <rondo/web/files/file.hpp>
#include <rondo/web/files/static_files.hpp>
#include <rondo/web/form.hpp>
#include <rondo/web/request.hpp>
#include <rondo/web/request_id.hpp>
#include <rondo/web/response.hpp>
#include <rondo/web/sse.hpp>
#include <rondo/web/stream.hpp>
#include <rondo/web/struct_binding.hpp>
