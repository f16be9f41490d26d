// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/settings/config_file.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <rondo/base/unique_fd.hpp>
#include <rondo/cli/settings/sources.hpp>

namespace rondo::cli {

namespace {

constexpr std::size_t max_config_file_size = 1 << 20;

std::string read_file(const std::string& path) {
    unique_fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    std::string text;
    char part[4096];
    ssize_t size = fd ? 1 : -1;
    while (size > 0 && text.size() <= max_config_file_size) {
        size = ::read(fd.value(), part, sizeof part);
        if (size > 0) text.append(part, static_cast<std::size_t>(size));
        if (size < 0 && errno == EINTR) size = 1;
    }
    if (size < 0) throw std::runtime_error(std::generic_category().message(errno));
    if (text.size() > max_config_file_size) throw std::runtime_error("file is larger than 1 MiB");
    return text;
}

// The text of a scalar value; nothing for other nodes.
std::optional<std::string> scalar_text(const toml::node& node) {
    if (const auto* text = node.as_string()) return text->get();
    if (const auto* number = node.as_integer()) return fmt::format("{}", number->get());
    if (const auto* number = node.as_floating_point()) return fmt::format("{}", number->get());
    if (const auto* value = node.as_boolean()) return value->get() ? "on" : "off";
    return std::nullopt;
}

std::string setting_name_of_key(std::string_view key) {
    std::string name(key);
    std::ranges::replace(name, '_', '-');
    return name;
}

// Reads settings from the root table of one file.
class config_file_reader {
public:
    config_file_reader(const std::string& path, std::span<const setting_row> rows) : path_(path), rows_(rows) {}

    setting_source read(const toml::table& file) {
        for (const auto& [key, node] : file) read_entry(key.str(), key.source(), node);
        return std::move(out_);
    }

private:
    std::string location(const toml::source_region& region) const {
        return fmt::format("{}:{}", path_, region.begin.line);
    }

    void add_error(const toml::source_region& region, std::string_view key, std::string_view message) {
        out_.errors.push_back(fmt::format("{}: {}{}", location(region), key, message));
    }

    void set(const setting_row& row, std::string_view text, const toml::source_region& region) {
        out_.add(row, text, fmt::format("{}: {}", location(region), row.name), location(region));
    }

    void read_entry(std::string_view key, const toml::source_region& region, const toml::node& node) {
        const setting_row* row = find_row(rows_, setting_name_of_key(key));
        if (!row)
            return add_error(
                region, key,
                unknown_setting_message(setting_name_of_key(key), rows_, [](const setting_row& r) { return r.name; }));
        if (!row->allowed_in_file)
            return add_error(region, key, ": cannot be set in the file; use the flag or the environment variable");
        if (is_duplicate(*row)) return add_error(region, key, ": set twice");
        if (row->type == "MODE" && !node.is_string()) return read_mode(*row, node, key, region);
        if (const auto text = scalar_text(node)) return set(*row, *text, region);
        if (const auto* items = node.as_array(); items && row->shape == row_shape::list)
            return read_list(*row, *items, region);
        if (const auto* items = node.as_table(); items && row->shape == row_shape::dictionary)
            return read_dictionary(*row, *items, region);
        add_error(region, key,
                  row->shape == row_shape::list         ? ": expected a string or an array of strings"
                  : row->shape == row_shape::dictionary ? ": expected a table of numbers"
                                                        : ": expected a string, a number or a boolean");
    }

    // Integers have their TOML value: 0o660 equals 432, and 660 differs from the string "660".
    void read_mode(const setting_row& row, const toml::node& node, std::string_view key,
                   const toml::source_region& region) {
        const auto* number = node.as_integer();
        if (number && number->get() >= 0 && number->get() <= 0777)
            return set(row, fmt::format("{:04o}", number->get()), region);
        if (!number) return add_error(region, key, ": expected an octal number like 0o660 or a string like \"0660\"");
        add_error(region, key,
                  fmt::format(": {} is not a valid mode; expected octal digits like 0o660 or \"0660\"", number->get()));
    }

    // Errors name the line of the item; the origin is the line of the first one.
    void read_list(const setting_row& row, const toml::array& items, const toml::source_region& region) {
        if (items.empty())
            out_.values.push_back({&row, {}, fmt::format("{}: {}", location(region), row.name), location(region)});
        for (const toml::node& item : items) {
            if (const auto text = scalar_text(item)) set(row, *text, region);
            else add_error(item.source(), row.name, ": contains an item that is not a string or a number");
        }
    }

    void read_dictionary(const setting_row& row, const toml::table& items, const toml::source_region& region) {
        if (items.empty())
            out_.values.push_back({&row, {}, fmt::format("{}: {}", location(region), row.name), location(region)});
        for (const auto& [key, node] : items) {
            if (const auto text = scalar_text(node)) set(row, fmt::format("{}={}", key.str(), *text), region);
            else add_error(key.source(), row.name, fmt::format(".{}: expected a string or a number", key.str()));
        }
    }

    bool is_duplicate(const setting_row& row) {
        if (std::ranges::find(seen_, &row) != seen_.end()) return true;
        seen_.push_back(&row);
        return false;
    }

    const std::string& path_;
    std::span<const setting_row> rows_;
    std::vector<const setting_row*> seen_;
    setting_source out_;
};

}  // namespace

setting_source read_config_file(const std::string& path, std::span<const setting_row> rows) {
    setting_source errors_only;
    try {
        return config_file_reader(path, rows).read(toml::parse(read_file(path), path));
    } catch (const toml::parse_error& e) {
        errors_only.errors.push_back(fmt::format("{}:{}: {}", path, e.source().begin.line, e.description()));
    } catch (const std::exception& e) {
        errors_only.errors.push_back(fmt::format("{}: cannot be read: {}", path, e.what()));
    }
    return errors_only;
}

}  // namespace rondo::cli
