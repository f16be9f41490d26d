// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include <rondo/coro/task.hpp>
#include <rondo/web/files/folder.hpp>
#include <rondo/web/request.hpp>
#include <rondo/web/response.hpp>

namespace rondo {

struct static_options {
    std::string index = "index.html";  ///< what a folder's own address shows; empty: nothing
    std::string cache_control;         ///< the Cache-Control field; empty: none, browsers ask with the ETag
};

/// A view that serves the files of a folder: `app.get("/static/<path:name>", static_folder("assets"))`. What file()
/// does, for names that strangers send: nothing outside of the folder, no dot file and no dot folder, no name with an
/// encoded slash, backslash or NUL is ever served; all that is 404 (see folder). A folder within is redirected to its
/// address with a slash at the end, which shows its index file. No listings.
class static_folder {
public:
    /// Throws std::runtime_error with a sentence when `path` is not a folder that can be read.
    explicit static_folder(const std::string& path, static_options options = {});

    [[nodiscard]] task<response> operator()(request& req, std::string_view name) const;

private:
    [[nodiscard]] response serve(const request& req, std::string_view name) const;

    folder folder_;
    static_options options_;
};

}  // namespace rondo
