// SPDX-License-Identifier: Apache-2.0
// Encodes statement parameters for libpq.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <rondo/db/parameters.hpp>

namespace rondo::db::postgres {

/// Encodes parameters for libpq: as text, so that the server infers the types from their use; bytes in binary. The
/// encoded values are valid until the next encode(); the buffers are reused.
class encoder {
public:
    /// Throws error for values that PostgreSQL cannot store: text with a zero byte, a time out of range.
    void encode(const parameters& from);

    [[nodiscard]] int count() const noexcept { return static_cast<int>(values_.size()); }
    [[nodiscard]] const char* const* values() const noexcept { return values_.data(); }
    [[nodiscard]] const int* lengths() const noexcept { return lengths_.data(); }
    [[nodiscard]] const int* formats() const noexcept { return formats_.data(); }

private:
    void add_value(const parameters& from, std::size_t& at);
    void append(const parameters& from, const parameter& p);
    void append_array(const parameters& from, std::size_t& at);
    void append_element(const parameters& from, const parameter& p);
    void append_text(std::string_view text);

    std::string text_;
    std::string element_;
    std::vector<std::size_t> offsets_;
    std::vector<const char*> values_;
    std::vector<int> lengths_;
    std::vector<int> formats_;
};

}  // namespace rondo::db::postgres
