// SPDX-License-Identifier: Apache-2.0
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

/// What a form may hold, besides the limit of the body. Over one of them: http_error 413.
struct form_limits {
    std::size_t fields = 1000;  ///< values, files included
    std::size_t files = 100;
    std::uint64_t text_bytes = 1 << 20;      ///< of all values that are no files, urlencoded: as sent
    std::size_t file_threshold = 64 * 1024;  ///< a larger file goes to the disk
};

struct form_field {
    std::string name;
    std::string value;
};

/// A file of a multipart form. Its bytes: content.text(), or content.save_to(path) on a thread that may block.
struct form_file {
    std::string name;          ///< of the form's input
    std::string filename;      ///< as the client sent it: never a path to be used as it is
    std::string content_type;  ///< as the client says; empty when it does not
    spool content;
};

/// The values of a form, in the order sent. Names may repeat.
class form_data {
public:
    /// The first value of this name.
    [[nodiscard]] std::optional<std::string_view> field(std::string_view name) const noexcept;
    /// The same, or `otherwise` when there is none.
    [[nodiscard]] std::string_view value(std::string_view name, std::string_view otherwise = {}) const noexcept;
    /// All values of this name.
    [[nodiscard]] std::vector<std::string_view> all(std::string_view name) const;
    [[nodiscard]] std::span<const form_field> fields() const noexcept { return fields_; }

    /// The first file of this name; null when there is none. An input where no file was chosen is none.
    [[nodiscard]] form_file* file(std::string_view name) noexcept;
    [[nodiscard]] std::span<form_file> files() noexcept { return files_; }

    /// Values and files.
    [[nodiscard]] std::size_t size() const noexcept { return fields_.size() + files_.size(); }

private:
    friend class form_reader;
    std::vector<form_field> fields_;
    std::vector<form_file> files_;
};

/// Reads a body as the form its Content-Type says: application/x-www-form-urlencoded or multipart/form-data (RFC 7578).
/// Files are written to the disk while they arrive, on the blocking pool. Throws http_error 415 for another type, 400
/// for a malformed form, 413 over a limit, and what body::read() does.
[[nodiscard]] task<form_data> read_form(handler::body& from, std::string_view content_type, form_limits limits = {});

/// The same for a body that is there already. Blocks on the disk when there are large files.
[[nodiscard]] form_data parse_form(std::string_view body, std::string_view content_type,
                                   const form_limits& limits = {});

}  // namespace rondo
