// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/settings/command_line.hpp>

#include <algorithm>
#include <stdexcept>

#include <fmt/format.h>
#include <unistd.h>

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
    row.group = "Of this application";
    row.shape = declared.is_switch() ? row_shape::on_off : row_shape::value;
    row.secret = declared.type == "SECRET" || (row.shape == row_shape::value && codec::names_secret(declared.name));
    row.standard = row.secret ? "" : without_secrets(row, declared.standard);
    row.read = [&declared](settings&, std::span<const std::string> texts) { declared.read(texts.back()); };
    row.show = [&declared](const settings&) { return declared.text(); };
    return row;
}

// What --config or RONDO_CONFIG says; the flag goes before.
std::string chosen_file(const given_settings& flags, const given_settings& environment) {
    for (const given_settings* source : {&flags, &environment})
        for (const given& g : source->items)
            if (g.row->name == "config") return g.texts.back();
    return ::access(usual_file, F_OK) == 0 ? usual_file : "";
}

// Flags may stand before the command only when there is none: `app --bind :80` serves.
std::span<const char* const> take_command(std::span<const char* const> arguments, std::string& command) {
    if (arguments.empty() || arguments[0][0] == '-') return arguments;
    command = arguments[0];
    return arguments.subspan(1);
}

// What was given, where a sentence repeats it: it may be a URL that another setting was meant to have.
std::string hide(std::string sentence, const given& what) {
    for (const std::string& text : what.texts) {
        const std::string shown = what.row->secret ? "***" : codec::redacted_url(text);
        for (std::size_t at = 0; !text.empty() && (at = sentence.find(text, at)) != sentence.npos; at += shown.size())
            sentence.replace(at, text.size(), shown);
    }
    return sentence;
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
            throw std::invalid_argument(fmt::format("{}: a setting '{}' exists already; give yours another name",
                                                    place_of(declared->where), declared->name));
        }
        rows.push_back(row_of(*declared));
    }
    return rows;
}

void apply(invocation& asked, std::span<const given_settings> sources) {
    asked.origins.assign(asked.rows.size(), "default");
    for (const given_settings& source : sources) {
        asked.mistakes.insert(asked.mistakes.end(), source.mistakes.begin(), source.mistakes.end());
        for (const given& g : source.items) {
            try {
                g.row->read(asked.chosen, g.texts);
                asked.origins[static_cast<std::size_t>(g.row - asked.rows.data())] = g.origin;
            } catch (const std::exception& e) {
                asked.mistakes.push_back(fmt::format("{}: {}", g.source, hide(e.what(), g)));
            }
        }
    }
    for (std::string& mistake : asked.mistakes) mistake = codec::without_secrets(mistake);
    complete(asked.chosen);
}

invocation read_invocation(app& application, std::span<const char* const> arguments, const char* const* variables) {
    invocation asked;
    asked.rows = rows_of(application);
    std::vector<const char*> flags_given;
    for (const char* word : take_command(arguments, asked.command)) {
        if (asked.command == "status" && word == std::string_view("--watch")) asked.watch = true;
        else flags_given.push_back(word);
    }
    given_flags flags = read_flags(flags_given, asked.rows);
    asked.words = std::move(flags.words);
    asked.help = flags.help;
    given_settings environment = read_environment(variables, asked.rows);
    given_settings file;
    const std::string path = chosen_file(flags, environment);
    if (!path.empty()) file = read_config_file(path, asked.rows);
    const given_settings sources[] = {read_preferred(application, asked.rows), std::move(file), std::move(environment),
                                      static_cast<given_settings&&>(flags)};
    apply(asked, sources);
    return asked;
}

}  // namespace rondo::cli
