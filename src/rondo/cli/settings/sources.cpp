// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/settings/sources.hpp>

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>

#include <rondo/cli/settings/spelling_suggestion.hpp>
#include <rondo/codec/redact.hpp>

namespace rondo::cli {

namespace {

// Variables of the tests in this repository, and those that an arbiter passes to its successor.
constexpr std::array<std::string_view, 7> reserved_variables{"RONDO_BIN",           "RONDO_BUILD", "RONDO_SOURCE",
                                                             "RONDO_PYTHONS_DIR",   "RONDO_VENVS", "RONDO_HANDOVER",
                                                             "RONDO_PEER_DISCOVERY"};

std::string flag_name(const setting_row& row) { return row.flag(); }
std::string variable_name(const setting_row& row) { return row.variable(); }

std::string flag_origin(const setting_row&) { return "flag"; }

// Parses flags from left to right.
class flag_parser {
public:
    flag_parser(std::span<const char* const> arguments, std::span<const setting_row> rows)
        : remaining_(arguments), rows_(rows) {}

    parsed_flags parse() {
        while (!remaining_.empty()) {
            const std::string_view argument = next();
            if (argument == "--") break;
            if (argument.starts_with("--")) long_flag(argument.substr(2));
            else if (argument.size() > 1 && argument[0] == '-') short_flag(argument);
            else out_.arguments.emplace_back(argument);
        }
        for (const char* argument : remaining_) out_.arguments.emplace_back(argument);
        return std::move(out_);
    }

private:
    std::string_view next() {
        const std::string_view argument = remaining_.front();
        remaining_ = remaining_.subspan(1);
        return argument;
    }

    void set(const setting_row& row, std::string_view text) {
        out_.add(row, std::string(text), row.flag(), flag_origin(row));
    }

    void set_from_next(const setting_row& row) {
        if (!remaining_.empty()) return set(row, next());
        out_.errors.push_back(fmt::format("{} needs a value: {} {}", row.flag(), row.flag(), row.type));
    }

    void long_flag(std::string_view text) {
        if (text == "help") return void(out_.help = true);
        const std::size_t equals = text.find('=');
        const std::string_view name = text.substr(0, equals);
        const setting_row* row = find_row(rows_, name);
        if (!row && name.starts_with("no-") && equals == text.npos) {
            const setting_row* opposite = find_row(rows_, name.substr(3));
            if (opposite && opposite->shape == row_shape::on_off) return set(*opposite, "off");
        }
        if (!row) return unknown_flag(name, equals != text.npos);
        if (equals != text.npos) set(*row, text.substr(equals + 1));
        else if (row->shape == row_shape::on_off) set(*row, "on");
        else set_from_next(*row);
    }

    void unknown_flag(std::string_view name, bool has_value) {
        out_.errors.push_back(
            fmt::format("--{}{}", codec::redacted_url(name), unknown_setting_message(name, rows_, flag_name)));
        // Skips its probable value: one error is enough.
        if (!has_value && !remaining_.empty() && remaining_.front()[0] != '-') next();
    }

    void short_flag(std::string_view argument) {
        if (argument == "-h") return void(out_.help = true);
        auto row = std::ranges::find(rows_, argument[1], &setting_row::short_flag);
        if (row == rows_.end())
            return out_.errors.push_back(fmt::format("{}: unknown setting; see --help", codec::redacted_url(argument)));
        if (argument.size() > 2) set(*row, argument.substr(argument[2] == '=' ? 3 : 2));
        else set_from_next(*row);
    }

    std::span<const char* const> remaining_;
    std::span<const setting_row> rows_;
    parsed_flags out_;
};

// "RONDO_HEADER_TIMEOUT" -> "header-timeout"
std::string setting_name(std::string_view variable) {
    std::string name;
    for (char c : variable.substr(6))
        name += c == '_' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return name;
}

}  // namespace

std::string setting_row::variable() const {
    std::string out = "RONDO_";
    for (char c : name) out += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return out;
}

void setting_source::add(const setting_row& row, std::string_view text, std::string message_prefix,
                         std::string origin) {
    auto item = std::ranges::find(values, &row, &setting_value::row);
    if (item == values.end()) {
        values.push_back({&row, {}, std::move(message_prefix), std::move(origin)});
        item = values.end() - 1;
    }
    const bool is_multiple = row.shape == row_shape::list || row.shape == row_shape::dictionary;
    for (std::string_view remaining = text;;) {
        const std::size_t comma = is_multiple ? remaining.find(',') : remaining.npos;
        item->texts.emplace_back(remaining.substr(0, comma));
        if (comma == remaining.npos) return;
        remaining.remove_prefix(comma + 1);
    }
}

std::string unknown_setting_message(std::string_view name, std::span<const setting_row> rows,
                                    std::string (*display_name)(const setting_row&)) {
    std::vector<std::string_view> names;
    for (const setting_row& row : rows) names.push_back(row.name);
    const std::string_view suggestion = spelling_suggestion(name, names);
    if (suggestion.empty()) return ": unknown setting; see --help";
    return fmt::format(": unknown setting; did you mean {}?", display_name(*find_row(rows, suggestion)));
}

std::string location_text(const std::source_location& location) {
    const std::string_view file = location.file_name();
    return fmt::format("{}:{}", file.substr(file.rfind('/') + 1), location.line());
}

parsed_flags parse_flags(std::span<const char* const> arguments, std::span<const setting_row> rows) {
    return flag_parser(arguments, rows).parse();
}

setting_source read_environment(const char* const* variables, std::span<const setting_row> rows) {
    setting_source out;
    for (; variables && *variables; ++variables) {
        const std::string_view entry = *variables;
        const std::size_t equals = entry.find('=');
        const std::string_view variable = entry.substr(0, equals);
        if (!variable.starts_with("RONDO_") || equals == entry.npos || equals + 1 == entry.size()) continue;
        if (std::ranges::find(reserved_variables, variable) != reserved_variables.end()) continue;
        const std::string name = setting_name(variable);
        const setting_row* row = find_row(rows, name);
        if (row && row->variable() == variable)
            out.add(*row, std::string(entry.substr(equals + 1)), std::string(variable), std::string(variable));
        else out.errors.push_back(fmt::format("{}{}", variable, unknown_setting_message(name, rows, variable_name)));
    }
    return out;
}

}  // namespace rondo::cli
