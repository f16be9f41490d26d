// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <rondo/coro/task.hpp>
#include <rondo/web/middleware.hpp>
#include <rondo/web/request.hpp>
#include <rondo/web/response.hpp>

#include "message.hpp"

namespace message_board {

/// What the page of messages shows.
struct board_content {
    std::span<const message> messages;  ///< newest first
    std::int64_t last = 0;              ///< the newest id there is: the page asks for later ones
    bool live = true;                   ///< shows the newest messages, and new ones as they come
    draft kept;                         ///< what was typed and refused
    std::string complaint;              ///< why; empty: nothing was refused
};
[[nodiscard]] rondo::response board_page(const board_content& content);

/// A page of the site: its file assets/pages/<name>.html with the values put in, within the layout. Only style, scripts
/// and pictures of our own may be loaded by it, and none may be within it.
using page_values = std::initializer_list<std::pair<std::string_view, std::string_view>>;
[[nodiscard]] rondo::response page(std::string_view name, std::string_view title, page_values values);

/// The text with each {{name}} replaced by its value, once: a value is not looked through again. Values are HTML.
/// Throws std::logic_error when a name has no value.
[[nodiscard]] std::string fill(std::string_view text, page_values values);

/// GET /static/<path:name>: an embedded file, with an ETag.
[[nodiscard]] rondo::task<rondo::response> static_file(rondo::request& req, std::string_view name);

/// Middleware: what every response says to browsers.
[[nodiscard]] rondo::task<rondo::response> safe_fields(rondo::request& req, rondo::next next);

}  // namespace message_board
