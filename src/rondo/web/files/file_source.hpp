// SPDX-License-Identifier: Apache-2.0
// The body of a file response: conditional requests, ranges, sendfile.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <rondo/http/date.hpp>
#include <rondo/http/range.hpp>
#include <rondo/web/files/folder.hpp>
#include <rondo/web/response.hpp>

namespace rondo {

/// Sends an open file, or the ranges of it that are requested.
class file_source final : public body_source {
public:
    /// Reads a small file into memory. Blocks on disk I/O. Throws std::system_error.
    explicit file_source(opened_file file);

    [[nodiscard]] std::uint64_t size() const noexcept { return file_.size; }
    [[nodiscard]] http::unix_seconds modified() const noexcept { return modified_; }
    [[nodiscard]] std::string etag() const;

    [[nodiscard]] task<void> send(handler::responder& to, const handler::response_head& head, request& req) override;

private:
    [[nodiscard]] bool is_in_memory() const noexcept { return file_.size <= handler::responder::small_body_limit; }
    [[nodiscard]] http::range_set requested_ranges(const handler::response_head& head, const request& req) const;
    task<void> send_whole(handler::responder& to, const handler::response_head& head);
    task<void> send_part(handler::responder& to, const handler::response_head& head, http::byte_range part);
    task<void> send_parts(handler::responder& to, const handler::response_head& head,
                          const std::vector<http::byte_range>& parts);
    task<void> write(handler::responder& to, http::byte_range part);

    opened_file file_;
    std::string content_;  // of a small file, otherwise empty
    http::unix_seconds modified_;
};

}  // namespace rondo
