// SPDX-License-Identifier: Apache-2.0
// Form data: urlencoded and multipart bodies, with uploaded files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <rondo/base/spool.hpp>
#include <rondo/coro/task.hpp>
#include <rondo/handler/request.hpp>

namespace rondo {

/// Limits of a form, in addition to the body limit. Exceeding one throws http_error 413.
struct form_limits {
    std::size_t fields = 1000;  ///< values, including files
    std::size_t files = 100;
    std::uint64_t text_bytes = 1 << 20;      ///< total size of non-file values; for urlencoded forms as sent
    std::size_t file_threshold = 64 * 1024;  ///< larger files are written to disk
};

struct form_field {
    std::string name;
    std::string value;
};

/// An uploaded file of a multipart form. Read it with content.text(), or content.save_to(path) on a thread that may
/// block.
struct form_file {
    std::string name;          ///< name of the form's input
    std::string filename;      ///< as sent by the client; never use it as a path unchecked
    std::string content_type;  ///< as sent by the client; may be empty
    spool content;
};

/// The values of a form, in the order sent. Names may repeat.
class form_data {
public:
    /// Returns the first value of this name.
    [[nodiscard]] std::optional<std::string_view> field(std::string_view name) const noexcept;
    /// Returns the first value of this name, or `default_value` if there is none.
    [[nodiscard]] std::string_view value(std::string_view name, std::string_view default_value = {}) const noexcept;
    /// Returns all values of this name.
    [[nodiscard]] std::vector<std::string_view> values(std::string_view name) const;
    [[nodiscard]] std::span<const form_field> fields() const noexcept { return fields_; }

    /// Returns the first file of this name, or null. A file input that was left empty has no file.
    [[nodiscard]] form_file* file(std::string_view name) noexcept;
    [[nodiscard]] std::span<form_file> files() noexcept { return files_; }

    /// Returns the number of values and files.
    [[nodiscard]] std::size_t size() const noexcept { return fields_.size() + files_.size(); }

private:
    friend class form_reader;
    std::vector<form_field> fields_;
    std::vector<form_file> files_;
};

/// Reads a body as a form of type application/x-www-form-urlencoded or multipart/form-data (RFC 7578), as given by
/// `content_type`. Large files are written to disk while they arrive, on the blocking pool. Throws http_error 415 for
/// other types, 400 for a malformed form, 413 over a limit, and what body::read() throws.
[[nodiscard]] task<form_data> read_form(handler::body& from, std::string_view content_type, form_limits limits = {});

/// Parses a complete body in the same way. Blocks on disk I/O if there are large files.
[[nodiscard]] form_data parse_form(std::string_view body, std::string_view content_type,
                                   const form_limits& limits = {});

}  // namespace rondo
