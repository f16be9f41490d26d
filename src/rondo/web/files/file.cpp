// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/files/file.hpp>

#include <cerrno>
#include <memory>
#include <system_error>
#include <utility>

#include <rondo/codec/percent.hpp>
#include <rondo/handler/error.hpp>
#include <rondo/http/media_type.hpp>
#include <rondo/loop/thread_pool.hpp>
#include <rondo/web/files/file_source.hpp>

namespace rondo {

namespace {

bool is_missing(const std::error_code& error) noexcept {
    const int value = error.value();
    return value == ENOENT || value == ENOTDIR || value == EISDIR || value == EINVAL || value == ENXIO;
}

/// `name` reduced to characters of an ASCII quoted string, for clients that do not support filename*.
std::string ascii_filename(std::string_view name) {
    std::string plain;
    for (const char c : name) {
        const bool safe = c >= 0x20 && c < 0x7f && c != '"' && c != '\\' && c != '%';
        plain += safe ? c : '_';
    }
    return plain;
}

std::string safe_filename(std::string_view name) {
    std::string clean;
    for (const char c : name) {
        const bool unsafe = static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '/' || c == '\\';
        clean += unsafe ? '_' : c;
    }
    return clean;
}

}  // namespace

response file_response(opened_file file, std::string_view static_type) {
    auto source = std::make_unique<file_source>(std::move(file));
    const std::string etag = source->etag();
    const std::string modified = http::format_date(source->modified());
    return with_source(std::move(source), static_type)
        .field("ETag", etag)
        .field("Last-Modified", modified)
        .field("Accept-Ranges", "bytes");
}

response file_sync(const std::string& path) {
    try {
        return file_response(open_file(path), http::media_type_for(path));
    } catch (const std::system_error& e) {
        if (!is_missing(e.code())) throw;
    }
    throw http_error(http::status::not_found);
}

task<response> file(std::string path) {
    co_return co_await run_blocking([&path] { return file_sync(path); });
}

response attachment(response r, std::string_view filename) {
    const std::string name = safe_filename(filename);
    const std::string plain = ascii_filename(name);
    std::string value = "attachment; filename=\"" + plain + '"';
    if (plain != name) value += "; filename*=UTF-8''" + codec::percent_encode(name);
    r.field("Content-Disposition", value);
    return r;
}

}  // namespace rondo
