// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/files/static_files.hpp>

#include <utility>

#include <rondo/handler/error.hpp>
#include <rondo/http/characters.hpp>
#include <rondo/http/media_type.hpp>
#include <rondo/loop/thread_pool.hpp>
#include <rondo/web/files/file.hpp>

namespace rondo {

namespace {

[[noreturn]] void throw_not_found() { throw http_error(http::status::not_found); }

/// Whether the path has %2F, %5C or %00, which legitimate clients do not encode.
bool has_encoded_separator(std::string_view raw_path) noexcept {
    for (std::size_t at = raw_path.find('%'); at < raw_path.size(); at = raw_path.find('%', at + 1)) {
        const std::string_view digits = raw_path.substr(at + 1, 2);
        if (digits.size() < 2) return true;
        const int byte = http::characters::hex_value(digits[0]) * 16 + http::characters::hex_value(digits[1]);
        if (byte == '/' || byte == '\\' || byte == 0) return true;
    }
    return false;
}

response redirect_to_folder(const request& req) {
    std::string url(req.raw_path());
    // Browsers interpret "//host" as another site.
    if (url.starts_with("//")) throw_not_found();
    url += '/';
    if (!req.raw_query().empty()) url.append("?").append(req.raw_query());
    return redirect(url, 308);
}

}  // namespace

static_folder::static_folder(const std::string& path, static_options options)
    : folder_(path), options_(std::move(options)) {}

task<response> static_folder::operator()(request& req, std::string_view name) const {
    if (has_encoded_separator(req.raw_path())) throw_not_found();
    co_return co_await run_blocking([this, &req, name] { return serve(req, name); });
}

response static_folder::serve(const request& req, std::string_view name) const {
    std::string path(name);
    const bool is_folder = path.empty() || path.back() == '/';
    if (is_folder) {
        if (options_.index.empty()) throw_not_found();
        path += options_.index;
    }
    auto opened = folder_.open(path);
    if (!opened) {
        const bool served_with_slash = opened.error() == folder::open_error::is_directory && !is_folder &&
                                       !options_.index.empty() && folder_.open(path + '/' + options_.index);
        if (served_with_slash) return redirect_to_folder(req);
        throw_not_found();
    }
    response r = file_response(*std::move(opened), http::media_type_for(path));
    r.field("X-Content-Type-Options", "nosniff");
    if (!options_.cache_control.empty()) r.field("Cache-Control", options_.cache_control);
    return r;
}

}  // namespace rondo
