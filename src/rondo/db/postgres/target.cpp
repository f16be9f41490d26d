// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/postgres/target.hpp>

#include <libpq-fe.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string_view>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>

#include <rondo/codec/percent.hpp>
#include <rondo/codec/redact.hpp>
#include <rondo/db/postgres/failure.hpp>
#include <rondo/db/url.hpp>

namespace rondo::db::postgres {

namespace {

// Defaults for what the URL does not set. A dead peer is detected within a minute, also with unacknowledged data.
constexpr std::pair<const char*, const char*> defaults[] = {
    {"fallback_application_name", "rondo"}, {"gssencmode", "disable"}, {"keepalives_idle", "30"},
    {"keepalives_interval", "10"},          {"keepalives_count", "3"}, {"tcp_user_timeout", "60000"},
};

const std::string* value_of(const connect_parameters& parameters, std::string_view name) {
    for (const auto& [n, value] : parameters)
        if (n == name) return &value;
    return nullptr;
}

void set(connect_parameters& parameters, std::string_view name, std::string value) {
    for (auto& [n, v] : parameters) {
        if (n != name) continue;
        v = std::move(value);
        return;
    }
    parameters.emplace_back(name, std::move(value));
}

std::vector<std::string> split(std::string_view list) {
    std::vector<std::string> parts;
    for (;;) {
        const std::size_t comma = list.find(',');
        parts.emplace_back(list.substr(0, comma));
        if (comma == std::string_view::npos) return parts;
        list.remove_prefix(comma + 1);
    }
}

bool is_name(const std::string& host) {
    in6_addr buffer{};
    return !host.empty() && host.front() != '/' && host.front() != '@' &&
           inet_pton(AF_INET, host.c_str(), &buffer) != 1 && inet_pton(AF_INET6, host.c_str(), &buffer) != 1;
}

std::vector<std::string> addresses_of(const std::string& host, std::string& message) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (const int error = getaddrinfo(host.c_str(), nullptr, &hints, &found); error != 0) {
        message = fmt::format("could not translate host name \"{}\" to address: {}", host, gai_strerror(error));
        return {};
    }
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(found, freeaddrinfo);
    std::vector<std::string> texts;
    for (const addrinfo* a = found; a; a = a->ai_next) {
        char text[INET6_ADDRSTRLEN + 20];
        if (getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST) == 0)
            texts.emplace_back(text);
    }
    if (texts.empty()) message = fmt::format("could not translate host name \"{}\" to address: it has none", host);
    return texts;
}

void add(std::string& list, const std::string& item, bool first) {
    if (!first) list += ',';
    list += item;
}

void add_secret(target& to, std::string_view part) {
    if (part.empty()) return;
    to.secrets.emplace_back(part);
    if (auto plain = codec::percent_decode(part); plain && *plain != part) to.secrets.push_back(*std::move(plain));
}

// A password may contain '@', '&' and '#'.
void find_secrets(target& of, std::string_view url) {
    const std::size_t mark = url.find("://");
    const std::size_t at = url.rfind('@');
    const std::size_t colon = url.find(':', mark == url.npos ? 0 : mark + 3);
    if (at != url.npos && colon < at) add_secret(of, url.substr(colon + 1, at - colon - 1));
    for (std::size_t equals = url.find('='); equals != url.npos; equals = url.find('=', equals + 1)) {
        const std::size_t before = url.substr(0, equals).find_last_of("?&");
        const std::size_t begin = before == url.npos ? 0 : before + 1;
        if (!codec::names_secret(url.substr(begin, equals - begin))) continue;
        add_secret(of, url.substr(equals + 1));
        break;
    }
    of.holds_quote = url.find('"') != url.npos || url.find("%22") != url.npos;
}

std::string small_letters(std::string text) {
    for (char& c : text)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return text;
}

// The program reads and writes UTF-8 only.
void set_encoding(connect_parameters& parameters, const std::string& shown) {
    const std::string* configured = value_of(parameters, "client_encoding");
    std::string name = configured ? small_letters(*configured) : "utf8";
    std::erase(name, '-');
    if (name != "utf8" && name != "unicode")
        throw std::invalid_argument(
            fmt::format("invalid database URL '{}': client_encoding={} is not supported; only UTF-8 is, leave it out",
                        shown, *configured));
    set(parameters, "client_encoding", "UTF8");
}

// The time zone comes first, so that the URL may override it: times are read correctly in every zone.
std::string options_with(const std::string* configured) {
    std::string options;
    for (const pinned_setting& s : pinned_settings) {
        options += fmt::format("{}-c {}={}", options.empty() ? "" : " ", s.name, s.value);
        if (configured && &s == pinned_settings) options += " " + *configured;
    }
    return options;
}

void hide(std::string& message, const std::string& text) {
    for (std::size_t at = message.find(text); at != std::string::npos; at = message.find(text, at + 3))
        message.replace(at, text.size(), "...");
}

// Replaces everything from the first quote of a message to the last.
std::string without_quotes(std::string message) {
    const std::size_t begin = message.find('"');
    const std::size_t end = message.rfind('"');
    if (begin != std::string::npos && begin < end) message.replace(begin + 1, end - begin - 1, "...");
    return message;
}

}  // namespace

target parse_target(const std::string& url) {
    char* message = nullptr;
    const std::unique_ptr<PQconninfoOption, void (*)(PQconninfoOption*)> parsed(PQconninfoParse(url.c_str(), &message),
                                                                                PQconninfoFree);
    if (!parsed) {
        const std::unique_ptr<char, void (*)(void*)> owned(message, PQfreemem);
        target invalid;
        find_secrets(invalid, url);
        throw std::invalid_argument(
            fmt::format("invalid PostgreSQL URL '{}': {}; expected postgres://user:password@host:5432/name",
                        shown_url(url), message ? invalid.without_secret(one_line(message)) : "out of memory"));
    }
    target t;
    t.shown = shown_url(url);
    find_secrets(t, url);
    for (const PQconninfoOption* o = parsed.get(); o->keyword; ++o)
        if (o->val) t.parameters.emplace_back(o->keyword, o->val);
    for (const auto& [name, value] : defaults)
        if (!value_of(t.parameters, name)) t.parameters.emplace_back(name, value);
    set_encoding(t.parameters, t.shown);
    // As libpq does, which ignores PGOPTIONS when options are given.
    const char* of_environment = std::getenv("PGOPTIONS");
    if (of_environment && !value_of(t.parameters, "options")) t.parameters.emplace_back("options", of_environment);
    const std::string* configured = value_of(t.parameters, "options");
    t.options = options_with(configured);
    t.own_zone = configured && small_letters(*configured).find("timezone") != std::string::npos;
    return t;
}

connect_parameters target::with_options(connect_parameters to) const {
    set(to, "options", options);
    return to;
}

bool target::is_secret(std::string_view text) const {
    if (text.find('@') != text.npos || text.find("://") != text.npos) return true;
    return text.size() > 1 && std::ranges::any_of(secrets, [text](const std::string& secret) {
               return secret.find(text) != std::string::npos;
           });
}

// Masks quoted text that is part of a secret or contains one, whatever the words around it: they may be translated. So
// may a server's quotes: values that may be parts of a password are masked everywhere.
std::string target::without_secret(std::string message) const {
    for (const char* name : {"dbname", "host", "port"})
        if (const std::string* value = value_of(parameters, name); value && value->size() > 2 && is_secret(*value))
            hide(message, *value);
    if (holds_quote) return without_quotes(std::move(message));
    for (std::size_t begin = message.find('"'); begin != std::string::npos; begin = message.find('"', begin)) {
        const std::size_t end = message.find('"', begin + 1);
        if (end == std::string::npos) break;
        const std::string quoted = message.substr(begin + 1, end - begin - 1);
        const std::string replacement = is_secret(quoted) ? "..." : quoted;
        message.replace(begin + 1, quoted.size(), replacement);
        begin += replacement.size() + 2;
    }
    return message;
}

bool needs_resolving(const connect_parameters& parameters) {
    const std::string* host = value_of(parameters, "host");
    if (!host || value_of(parameters, "hostaddr")) return false;
    const auto hosts = split(*host);
    return std::ranges::any_of(hosts, is_name);
}

std::optional<connect_parameters> resolve(const connect_parameters& parameters, std::string& message) {
    const auto hosts = split(*value_of(parameters, "host"));
    const std::string* configured = value_of(parameters, "port");
    const auto ports = split(configured ? *configured : std::string());
    std::string names;
    std::string addresses;
    std::string numbers;
    bool first = true;
    for (std::size_t i = 0; i < hosts.size(); ++i) {
        std::vector<std::string> found{std::string()};
        if (is_name(hosts[i])) found = addresses_of(hosts[i], message);
        for (const std::string& address : found) {
            add(names, hosts[i], first);
            add(addresses, address, first);
            add(numbers, ports.size() == 1 ? ports[0] : i < ports.size() ? ports[i] : std::string(), first);
            first = false;
        }
    }
    if (first) return std::nullopt;
    connect_parameters out = parameters;
    set(out, "host", names);
    set(out, "hostaddr", addresses);
    if (configured) set(out, "port", numbers);
    return out;
}

}  // namespace rondo::db::postgres
