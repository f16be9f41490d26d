// SPDX-License-Identifier: Apache-2.0
// A view that serves the files of a folder.
#pragma once

#include <string>
#include <string_view>

#include <rondo/coro/task.hpp>
#include <rondo/web/files/folder.hpp>
#include <rondo/web/request.hpp>
#include <rondo/web/response.hpp>

namespace rondo {

struct static_options {
    std::string index = "index.html";  ///< the file served for a folder; empty: none
    std::string cache_control;         ///< Cache-Control; empty: not sent, browsers revalidate with the ETag
};

/// A view that serves the files of a folder: `app.get("/static/<path:name>", static_folder("assets"))`. Responds like
/// file(), but accepts untrusted names: files outside of the folder, dot files and dot folders, and names with an
/// encoded slash, backslash or NUL are never served, but get 404 (see folder). A subfolder is redirected to its URL
/// with a trailing slash, which serves its index file. There are no directory listings.
class static_folder {
public:
    /// Throws std::runtime_error with a user-facing message if `path` is not a readable folder.
    explicit static_folder(const std::string& path, static_options options = {});

    [[nodiscard]] task<response> operator()(request& req, std::string_view name) const;

private:
    [[nodiscard]] response serve(const request& req, std::string_view name) const;

    folder folder_;
    static_options options_;
};

}  // namespace rondo
