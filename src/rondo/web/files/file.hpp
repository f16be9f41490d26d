// SPDX-License-Identifier: Apache-2.0
// Files as responses.
#pragma once

#include <string>
#include <string_view>

#include <rondo/coro/task.hpp>
#include <rondo/web/files/folder.hpp>
#include <rondo/web/response.hpp>

namespace rondo {

/// Makes a response from a file: `co_return co_await file("report.pdf")`. Sets Content-Type from the extension, and
/// ETag and Last-Modified from the file. As long as the status is 200, handles conditional requests (304, 412) and
/// ranges (206, 416; RFC 9110 sections 13 and 14). Small files are read into memory, large ones are sent with sendfile.
/// Opens and reads on the blocking pool. Throws http_error 404 if there is no such regular file, std::system_error if
/// it cannot be read. The path must not come from a request; use static_folder for that.
[[nodiscard]] task<response> file(std::string path);
/// Makes a response from a file in a sync or cpu view. Blocks on disk I/O.
[[nodiscard]] response file_sync(const std::string& path);

/// Makes a response from an open file. `static_type` must live as long as the program (as the result of
/// http::media_type_for). Blocks on disk I/O.
[[nodiscard]] response file_response(opened_file file, std::string_view static_type);

/// Makes browsers save the response under this name instead of displaying it (Content-Disposition, RFC 6266). Control
/// characters and slashes in the name become '_'. `co_return attachment(co_await file(path), "report.pdf");`
[[nodiscard]] response attachment(response r, std::string_view filename);

}  // namespace rondo
