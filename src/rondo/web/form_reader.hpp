// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <rondo/http/multipart.hpp>
#include <rondo/web/form.hpp>

namespace rondo {

/// Makes form_data of a body that comes piece by piece. Throws http_error.
class form_reader {
public:
    /// Throws http_error 415 or 400 for a type that is no form.
    form_reader(std::string_view content_type, const form_limits& limits);

    /// True when take() of so many bytes could write to the disk.
    [[nodiscard]] bool would_block(std::size_t bytes) const noexcept;
    void take(std::string_view bytes);
    /// After the last piece.
    [[nodiscard]] form_data finish();

private:
    void take_multipart(std::string_view bytes);
    void begin_part();
    void end_part();
    void add_data(std::string_view bytes);
    void check_text(std::size_t more);
    void parse_urlencoded();

    form_limits limits_;
    std::optional<http::multipart_parser> multipart_;  // none: urlencoded
    std::string urlencoded_;
    form_data form_;
    std::uint64_t text_bytes_ = 0;
    bool in_file_ = false;
};

}  // namespace rondo
