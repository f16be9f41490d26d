// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/files/static_files.hpp>

#include <utility>

#include <rondo/handler/error.hpp>
#include <rondo/http/characters.hpp>
#include <rondo/http/media_type.hpp>
#include <rondo/loop/pool.hpp>
#include <rondo/web/files/file.hpp>

namespace rondo {

namespace {

[[noreturn]] void not_found() { throw http_error(http::status::not_found); }

/// %2F, %5C, %00: bytes that only somebody who tries to confuse us encodes.
bool has_encoded_trick(std::string_view raw_path) noexcept {
    for (std::size_t at = raw_path.find('%'); at < raw_path.size(); at = raw_path.find('%', at + 1)) {
        const std::string_view digits = raw_path.substr(at + 1, 2);
        if (digits.size() < 2) return true;
        const int byte = http::characters::hex_value(digits[0]) * 16 + http::characters::hex_value(digits[1]);
        if (byte == '/' || byte == '\\' || byte == 0) return true;
    }
    return false;
}

response to_folder(const request& req) {
    std::string address(req.raw_path());
    // The browser takes "//host" for another site.
    if (address.starts_with("//")) not_found();
    address += '/';
    if (!req.raw_query().empty()) address.append("?").append(req.raw_query());
    return redirect(address, 308);
}

}  // namespace

static_folder::static_folder(const std::string& path, static_options options)
    : folder_(path), options_(std::move(options)) {}

task<response> static_folder::operator()(request& req, std::string_view name) const {
    if (has_encoded_trick(req.raw_path())) not_found();
    co_return co_await run_blocking([this, &req, name] { return serve(req, name); });
}

response static_folder::serve(const request& req, std::string_view name) const {
    std::string wanted(name);
    const bool of_folder = wanted.empty() || wanted.back() == '/';
    if (of_folder) {
        if (options_.index.empty()) not_found();
        wanted += options_.index;
    }
    auto opened = folder_.open(wanted);
    if (!opened) {
        const bool shown_with_slash = opened.error() == folder::refusal::directory && !of_folder &&
                                      !options_.index.empty() && folder_.open(wanted + '/' + options_.index);
        if (shown_with_slash) return to_folder(req);
        not_found();
    }
    response r = file_response(*std::move(opened), http::media_type_of(wanted));
    r.field("X-Content-Type-Options", "nosniff");
    if (!options_.cache_control.empty()) r.field("Cache-Control", options_.cache_control);
    return r;
}

}  // namespace rondo
