// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/settings/help_text.hpp>

#include <algorithm>

#include <fmt/format.h>

#include <rondo/cli/served.hpp>
#include <rondo/cli/settings/load_settings.hpp>
#include <rondo/codec/redact.hpp>

namespace rondo::cli {

namespace {

constexpr std::size_t help_column = 32;
constexpr std::size_t help_width = 100;

constexpr std::string_view footer =
    "TIME: 250ms, 3s, 2m, 1h. SIZE: 65536, 512KiB, 1MiB. Lists: repeat the flag, or use commas.\n"
    "Every setting is also an environment variable (RONDO_BACKEND=epoll) and a key in rondo.toml\n"
    "(backend = \"epoll\"). Flags override environment variables, which override the file.\n";

// Appends `text`, wrapped to lines that start at help_column; the cursor is at `column`.
void append_wrapped(std::string& out, std::string_view text, std::size_t column) {
    if (column + 2 > help_column) {
        out += '\n';
        column = 0;
    }
    out.append(help_column - column, ' ');
    column = help_column;
    while (!text.empty()) {
        const std::size_t space = std::min(text.find(' '), text.size());
        if (column > help_column && column + 1 + space > help_width) {
            out.append("\n").append(help_column, ' ');
            column = help_column;
        }
        if (column > help_column) out += ' ', ++column;
        out += text.substr(0, space);
        column += space;
        text.remove_prefix(std::min(space + 1, text.size()));
    }
    out += '\n';
}

void append_entry(std::string& out, std::string_view name, std::string_view text) {
    out += name;
    append_wrapped(out, text, name.size());
}

std::string help_name(const setting_row& row) {
    std::string name =
        row.short_flag ? fmt::format("  -{}, {}", row.short_flag, row.flag()) : fmt::format("      {}", row.flag());
    if (row.shape != row_shape::on_off) name.append(" ").append(row.type);
    return name;
}

// Escapes '|', which would end a cell.
std::string markdown_cell(std::string_view text) {
    std::string out;
    for (char c : text) out += c == '|' ? std::string("\\|") : std::string(1, c);
    return out;
}

std::string markdown_code(std::string_view text) {
    return text.empty() ? std::string() : fmt::format("`{}`", markdown_cell(text));
}

std::string display_value(const setting_row& row, const server_settings& settings) {
    return redacted_value(row, row.to_text(settings));
}

}  // namespace

std::string redacted_value(const setting_row& row, std::string_view text) {
    if (row.is_secret) return text.empty() ? "" : "***";
    const bool is_url = row.type == "URL" || codec::is_url_name(row.name);
    return is_url ? codec::redacted_url(text) : codec::redacted_text(text);
}

std::string help_text(std::string_view program, const served& application, std::span<const command_info> commands,
                      std::span<const setting_row> rows) {
    const std::string_view argument = application.argument();
    std::string out = fmt::format("{}\n\nUsage: {} [COMMAND] {}{}[SETTINGS]\n\nCommands:\n", application.description(),
                                  program, argument, argument.empty() ? "" : " ");
    for (const command_info& c : commands) append_entry(out, "  " + c.name, c.help);
    std::string_view group;
    for (const setting_row& row : rows) {
        if (row.group != group) out += fmt::format("\n{}:\n", row.group);
        group = row.group;
        append_entry(out, help_name(row),
                     row.default_value.empty() ? row.help : fmt::format("{} [{}]", row.help, row.default_value));
    }
    out.append("\n").append(footer);
    return out;
}

std::string reference_text(std::span<const setting_row> rows) {
    std::string out;
    std::string_view group;
    for (const setting_row& row : rows) {
        if (row.group != group) {
            out += fmt::format("{}## {}\n\n| flag | variable | default | |\n|---|---|---|---|\n",
                               group.empty() ? "" : "\n", row.group);
        }
        group = row.group;
        std::string flag = row.flag();
        if (row.shape != row_shape::on_off) flag.append(" ").append(row.type);
        std::string letter = row.short_flag ? fmt::format(", `-{}`", row.short_flag) : std::string();
        out += fmt::format("| {}{} | `{}` | {} | {} |\n", markdown_code(flag), letter, row.variable(),
                           markdown_code(row.default_value), markdown_cell(row.help));
    }
    return out;
}

std::string effective_text(const command_line& line) {
    std::size_t names = 0;
    std::size_t values = 0;
    for (const setting_row& row : line.rows) {
        names = std::max(names, row.name.size());
        values = std::min<std::size_t>(40, std::max(values, display_value(row, line.settings).size()));
    }
    std::string out;
    for (std::size_t i = 0; i < line.rows.size(); ++i) {
        const setting_row& row = line.rows[i];
        if (row.name == "config") continue;
        out += fmt::format("{:{}}  {:{}}  {}\n", row.name, names, display_value(row, line.settings), values,
                           line.origins[i]);
    }
    return out;
}

}  // namespace rondo::cli
