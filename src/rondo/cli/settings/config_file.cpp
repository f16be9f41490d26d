// SPDX-License-Identifier: Apache-2.0
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

constexpr std::size_t largest_file = 1 << 20;

std::string read_whole(const std::string& path) {
    unique_fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    std::string text;
    char part[4096];
    ssize_t size = fd ? 1 : -1;
    while (size > 0 && text.size() <= largest_file) {
        size = ::read(fd.value(), part, sizeof part);
        if (size > 0) text.append(part, static_cast<std::size_t>(size));
        if (size < 0 && errno == EINTR) size = 1;
    }
    if (size < 0) throw std::runtime_error(std::generic_category().message(errno));
    if (text.size() > largest_file) throw std::runtime_error("it is larger than 1 MiB");
    return text;
}

// The text of a single value; nothing for what is none.
std::optional<std::string> text_of(const toml::node& node) {
    if (const auto* text = node.as_string()) return text->get();
    if (const auto* number = node.as_integer()) return fmt::format("{}", number->get());
    if (const auto* number = node.as_floating_point()) return fmt::format("{}", number->get());
    if (const auto* value = node.as_boolean()) return value->get() ? "on" : "off";
    return std::nullopt;
}

std::string written_name(std::string_view key) {
    std::string name(key);
    std::ranges::replace(name, '_', '-');
    return name;
}

// Turns the tables of one file into settings.
class file_reader {
public:
    file_reader(const std::string& path, std::span<const setting_row> rows) : path_(path), rows_(rows) {}

    given_settings read(const toml::table& file) {
        for (const auto& [key, node] : file) entry(key.str(), key.source(), node);
        return std::move(out_);
    }

private:
    std::string place(const toml::source_region& at) const { return fmt::format("{}:{}", path_, at.begin.line); }

    void mistake(const toml::source_region& at, std::string_view key, std::string_view what) {
        out_.mistakes.push_back(fmt::format("{}: {}{}", place(at), key, what));
    }

    void set(const setting_row& row, std::string_view text, const toml::source_region& at) {
        out_.add(row, text, fmt::format("{}: {}", place(at), row.name), place(at));
    }

    void entry(std::string_view key, const toml::source_region& at, const toml::node& node) {
        const setting_row* row = find_row(rows_, written_name(key));
        if (!row)
            return mistake(at, key,
                           unknown_setting(written_name(key), rows_, [](const setting_row& r) { return r.name; }));
        if (!row->in_file) return mistake(at, key, ": cannot be said in the file; use the flag or the variable");
        if (seen_twice(*row)) return mistake(at, key, ": is set twice");
        if (row->type == "MODE" && !node.is_string()) return mode(*row, node, key, at);
        if (const auto text = text_of(node)) return set(*row, *text, at);
        if (const auto* items = node.as_array(); items && row->shape == row_shape::list) return list(*row, *items, at);
        if (const auto* items = node.as_table(); items && row->shape == row_shape::dictionary)
            return dictionary(*row, *items, at);
        mistake(at, key,
                row->shape == row_shape::list         ? ": must be a text or an array of texts"
                : row->shape == row_shape::dictionary ? ": must be a table of numbers"
                                                      : ": must be a text, a number or true or false");
    }

    // A number means what TOML says: 0o660 and 432 are the same, and 660 is another one than the text "660".
    void mode(const setting_row& row, const toml::node& node, std::string_view key, const toml::source_region& at) {
        const auto* number = node.as_integer();
        if (number && number->get() >= 0 && number->get() <= 0777)
            return set(row, fmt::format("{:04o}", number->get()), at);
        if (!number) return mistake(at, key, ": must be an octal number like 0o660 or a text like \"0660\"");
        mistake(
            at, key,
            fmt::format(": the number {} is not a permission; write octal digits as 0o660 or \"0660\"", number->get()));
    }

    // In an array and a table the line of each item is known; the first one stands for all.
    void list(const setting_row& row, const toml::array& items, const toml::source_region& at) {
        if (items.empty()) out_.items.push_back({&row, {}, fmt::format("{}: {}", place(at), row.name), place(at)});
        for (const toml::node& item : items) {
            if (const auto text = text_of(item)) set(row, *text, at);
            else mistake(item.source(), row.name, ": holds something that is neither text nor number");
        }
    }

    void dictionary(const setting_row& row, const toml::table& items, const toml::source_region& at) {
        if (items.empty()) out_.items.push_back({&row, {}, fmt::format("{}: {}", place(at), row.name), place(at)});
        for (const auto& [key, node] : items) {
            if (const auto text = text_of(node)) set(row, fmt::format("{}={}", key.str(), *text), at);
            else mistake(key.source(), row.name, fmt::format(".{}: is neither text nor number", key.str()));
        }
    }

    bool seen_twice(const setting_row& row) {
        if (std::ranges::find(seen_, &row) != seen_.end()) return true;
        seen_.push_back(&row);
        return false;
    }

    const std::string& path_;
    std::span<const setting_row> rows_;
    std::vector<const setting_row*> seen_;
    given_settings out_;
};

}  // namespace

given_settings read_config_file(const std::string& path, std::span<const setting_row> rows) {
    given_settings failed;
    try {
        return file_reader(path, rows).read(toml::parse(read_whole(path), path));
    } catch (const toml::parse_error& e) {
        failed.mistakes.push_back(fmt::format("{}:{}: {}", path, e.source().begin.line, e.description()));
    } catch (const std::exception& e) {
        failed.mistakes.push_back(fmt::format("{}: cannot be read: {}", path, e.what()));
    }
    return failed;
}

}  // namespace rondo::cli
