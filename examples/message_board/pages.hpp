// SPDX-License-Identifier: Apache-2.0
// The HTML pages, static files and response fields of the site.
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

/// The content of the page of messages.
struct board_content {
    std::span<const message> messages;  ///< newest first
    std::int64_t last = 0;              ///< the newest id; the page requests later ones
    bool live = true;                   ///< shows the newest messages, and new ones as they arrive
    draft input;                        ///< a rejected message, shown again in the form
    std::string error;                  ///< why it was rejected; empty when there is no rejected message
};
[[nodiscard]] rondo::response board_page(const board_content& content);

/// A page of the site: the template assets/pages/<name>.html filled with the values, within the layout. Its content
/// security policy allows only the site's own style sheets, scripts and pictures, and none inline.
using page_values = std::initializer_list<std::pair<std::string_view, std::string_view>>;
[[nodiscard]] rondo::response page(std::string_view name, std::string_view title, page_values values);

/// The text with each {{name}} replaced by its value. Values are HTML and are not expanded themselves. Throws
/// std::logic_error when a name has no value.
[[nodiscard]] std::string fill_template(std::string_view text, page_values values);

/// GET /static/<path:name>: an embedded file, with an ETag.
[[nodiscard]] rondo::task<rondo::response> static_file(rondo::request& req, std::string_view name);

/// Middleware: adds the security fields of every response.
[[nodiscard]] rondo::task<rondo::response> security_fields(rondo::request& req, rondo::next next);

}  // namespace message_board
