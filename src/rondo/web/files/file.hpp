// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include <rondo/coro/task.hpp>
#include <rondo/web/files/folder.hpp>
#include <rondo/web/response.hpp>

namespace rondo {

/// A file as a response: `co_return co_await file("report.pdf")`. Content-Type by the extension, ETag and Last-Modified
/// of the file; answers conditional requests (304, 412) and ranges (206, 416; RFC 9110 sections 13 and 14) when the
/// status is left at 200. Small files are read at once, large ones go from the file to the socket (sendfile).
/// Opened and read on the blocking pool. Throws http_error 404 when there is no such regular file, std::system_error
/// when it cannot be read. The path is the program's own: for names out of requests there is static_folder.
[[nodiscard]] task<response> file(std::string path);
/// The same for sync and cpu views; blocks on the disk.
[[nodiscard]] response file_sync(const std::string& path);

/// A file that is open already. `static_type` lives as long as the program (http::media_type_of). Blocks on the disk.
[[nodiscard]] response file_response(opened_file file, std::string_view static_type);

/// Has browsers save the response under this name instead of showing it (Content-Disposition, RFC 6266). Control bytes
/// and slashes in the name become '_'. `co_return attachment(co_await file(path), "report.pdf");`
[[nodiscard]] response attachment(response r, std::string_view filename);

}  // namespace rondo
