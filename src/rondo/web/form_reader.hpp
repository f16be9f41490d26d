// SPDX-License-Identifier: Apache-2.0
// Incremental parser of form bodies.
// Implemented in form.cpp.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <rondo/http/multipart.hpp>
#include <rondo/web/form.hpp>

namespace rondo {

/// Parses a form body that arrives in pieces. Throws http_error.
class form_reader {
public:
    /// Throws http_error 415 if the type is not a form, 400 if it has no valid boundary.
    form_reader(std::string_view content_type, const form_limits& limits);

    /// Returns true when append() of that many bytes may write to disk.
    [[nodiscard]] bool would_block(std::size_t bytes) const noexcept;
    void append(std::string_view bytes);
    /// Called after the last piece.
    [[nodiscard]] form_data finish();

private:
    void append_multipart(std::string_view bytes);
    void begin_part();
    void end_part();
    void add_data(std::string_view bytes);
    void count_text(std::size_t more);
    void parse_urlencoded();

    form_limits limits_;
    std::optional<http::multipart_parser> multipart_;  // empty for an urlencoded form
    std::string urlencoded_;
    form_data form_;
    std::uint64_t text_bytes_ = 0;
    bool in_file_ = false;
};

}  // namespace rondo
