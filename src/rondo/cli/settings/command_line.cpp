// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/settings/command_line.hpp>

#include <algorithm>
#include <stdexcept>

#include <fmt/format.h>
#include <unistd.h>

#include <rondo/cli/settings/config_file.hpp>
#include <rondo/codec/redact.hpp>
#include <rondo/web/app.hpp>

namespace rondo::cli {

namespace {

constexpr const char* usual_file = "rondo.toml";

setting_row row_of(detail::declared_setting& declared) {
    setting_row row;
    row.name = declared.name;
    row.type = declared.type;
    row.help = declared.help;
    row.group = "Application";
    row.shape = declared.is_switch() ? row_shape::on_off : row_shape::value;
    row.secret = declared.type == "SECRET" || (row.shape == row_shape::value && codec::names_secret(declared.name));
    row.standard = row.secret ? "" : without_secrets(row, declared.standard);
    row.read = [&declared](settings&, std::span<const std::string> texts) { declared.read(texts.back()); };
    row.show = [&declared](const settings&) { return declared.text(); };
    return row;
}

// The value of --config, else of RONDO_CONFIG, else rondo.toml if it exists.
std::string chosen_file(const given_settings& flags, const given_settings& environment) {
    for (const given_settings* source : {&flags, &environment})
        for (const given& g : source->items)
            if (g.row->name == "config") return g.texts.back();
    return ::access(usual_file, F_OK) == 0 ? usual_file : "";
}

// The command, if any, precedes all flags: `app --bind :80` serves.
std::span<const char* const> take_command(std::span<const char* const> arguments, std::string& command) {
    if (arguments.empty() || arguments[0][0] == '-') return arguments;
    command = arguments[0];
    return arguments.subspan(1);
}

// Redacts the values that a message repeats: any of them may be a URL that was meant for another setting.
std::string hide(std::string message, const given& value) {
    for (const std::string& text : value.texts) {
        const std::string redacted = value.row->secret ? "***" : codec::redacted_url(text);
        for (std::size_t at = 0; !text.empty() && (at = message.find(text, at)) != message.npos; at += redacted.size())
            message.replace(at, text.size(), redacted);
    }
    return message;
}

void complete(settings& s) {
    for (int fd : s.inherited) s.binds.push_back(net::bind_address::parse(fmt::format("fd://{}", fd)));
    if (s.binds.empty()) s.binds.push_back(net::bind_address::parse("127.0.0.1:8000"));
}

}  // namespace

const setting_row* find_row(std::span<const setting_row> rows, std::string_view name) noexcept {
    auto row = std::ranges::find(rows, name, &setting_row::name);
    return row == rows.end() ? nullptr : &*row;
}

std::vector<setting_row> rows_of(const app& application) {
    std::vector<setting_row> rows = framework_rows();
    for (detail::declared_setting* declared : application.declared_settings()) {
        if (declared->name == "help" || find_row(rows, declared->name)) {
            throw std::invalid_argument(fmt::format("{}: setting '{}' already exists; choose another name",
                                                    place_of(declared->where), declared->name));
        }
        rows.push_back(row_of(*declared));
    }
    return rows;
}

void apply(invocation& line, std::span<const given_settings> sources) {
    line.origins.assign(line.rows.size(), "default");
    for (const given_settings& source : sources) {
        line.mistakes.insert(line.mistakes.end(), source.mistakes.begin(), source.mistakes.end());
        for (const given& g : source.items) {
            try {
                g.row->read(line.chosen, g.texts);
                line.origins[static_cast<std::size_t>(g.row - line.rows.data())] = g.origin;
            } catch (const std::exception& e) {
                line.mistakes.push_back(fmt::format("{}: {}", g.source, hide(e.what(), g)));
            }
        }
    }
    for (std::string& message : line.mistakes) message = codec::without_secrets(message);
    complete(line.chosen);
}

invocation read_invocation(app& application, std::span<const char* const> arguments, const char* const* variables) {
    invocation line;
    line.rows = rows_of(application);
    std::vector<const char*> flag_arguments;
    for (const char* argument : take_command(arguments, line.command)) {
        if (line.command == "status" && argument == std::string_view("--watch")) line.watch = true;
        else flag_arguments.push_back(argument);
    }
    given_flags flags = read_flags(flag_arguments, line.rows);
    line.words = std::move(flags.words);
    line.help = flags.help;
    given_settings environment = read_environment(variables, line.rows);
    given_settings file;
    const std::string path = chosen_file(flags, environment);
    if (!path.empty()) file = read_config_file(path, line.rows);
    const given_settings sources[] = {read_preferred(application, line.rows), std::move(file), std::move(environment),
                                      static_cast<given_settings&&>(flags)};
    apply(line, sources);
    return line;
}

}  // namespace rondo::cli
