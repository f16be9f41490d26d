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

#include <rondo/db/postgres/failure.hpp>
#include <rondo/db/url.hpp>

namespace rondo::db::postgres {

namespace {

// What is not said in the URL. A dead peer is noticed within a minute, also when it owes us an acknowledgement.
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

// Between "://" and the last "@", which a password may hold itself.
std::string secret_of(const std::string& url) {
    const std::size_t begin = url.find("://");
    const std::size_t end = url.rfind('@');
    if (begin == std::string::npos || end == std::string::npos || end < begin + 3) return {};
    return url.substr(begin + 3, end - begin - 3);
}

std::string small_letters(std::string text) {
    for (char& c : text)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return text;
}

// What the program writes and reads is UTF-8 and nothing else.
void set_encoding(connect_parameters& parameters, const std::string& shown) {
    const std::string* given = value_of(parameters, "client_encoding");
    std::string name = given ? small_letters(*given) : "utf8";
    std::erase(name, '-');
    if (name != "utf8" && name != "unicode")
        throw std::invalid_argument(fmt::format(
            "the database URL '{}' asks for client_encoding={}: texts are UTF-8 here, leave it out", shown, *given));
    set(parameters, "client_encoding", "UTF8");
}

// The time zone comes first, so that the URL may say another one: a time is read right in every zone.
std::string options_with(const std::string* given) {
    std::string options;
    for (const pinned_setting& s : pinned_settings) {
        options += fmt::format("{}-c {}={}", options.empty() ? "" : " ", s.name, s.value);
        if (given && &s == pinned_settings) options += " " + *given;
    }
    return options;
}

}  // namespace

target parse_target(const std::string& url) {
    char* message = nullptr;
    const std::unique_ptr<PQconninfoOption, void (*)(PQconninfoOption*)> parsed(PQconninfoParse(url.c_str(), &message),
                                                                                PQconninfoFree);
    if (!parsed) {
        const std::unique_ptr<char, void (*)(void*)> owned(message, PQfreemem);
        target wrong;
        wrong.secret = secret_of(url);
        throw std::invalid_argument(fmt::format(
            "the database URL '{}' is not one of PostgreSQL: {}: write postgres://user:password@host:5432/name",
            shown_url(url), message ? wrong.without_secret(one_line(message)) : "no memory"));
    }
    target t;
    t.shown = shown_url(url);
    t.secret = secret_of(url);
    for (const PQconninfoOption* o = parsed.get(); o->keyword; ++o)
        if (o->val) t.parameters.emplace_back(o->keyword, o->val);
    for (const auto& [name, value] : defaults)
        if (!value_of(t.parameters, name)) t.parameters.emplace_back(name, value);
    set_encoding(t.parameters, t.shown);
    // As libpq does it, which does not look there when it is told options.
    const char* of_environment = std::getenv("PGOPTIONS");
    if (of_environment && !value_of(t.parameters, "options")) t.parameters.emplace_back("options", of_environment);
    const std::string* given = value_of(t.parameters, "options");
    t.options = options_with(given);
    t.own_zone = given && small_letters(*given).find("timezone") != std::string::npos;
    return t;
}

connect_parameters target::with_options(connect_parameters to) const {
    set(to, "options", options);
    return to;
}

// Whatever stands in quotes and is a part of the secret, or holds one. No words are looked for: they may be translated.
std::string target::without_secret(std::string message) const {
    for (std::size_t begin = message.find('"'); begin != std::string::npos; begin = message.find('"', begin)) {
        const std::size_t end = message.find('"', begin + 1);
        if (end == std::string::npos) break;
        const std::string quoted = message.substr(begin + 1, end - begin - 1);
        const bool whole = quoted.find('@') != std::string::npos || quoted.find("://") != std::string::npos;
        const std::size_t colon = secret.find(':');
        const bool part =
            colon != std::string::npos && quoted.size() > 1 && secret.find(quoted, colon + 1) != std::string::npos;
        const std::string shown_part = whole || part ? "..." : quoted;
        message.replace(begin + 1, quoted.size(), shown_part);
        begin += shown_part.size() + 2;
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
    const std::string* given = value_of(parameters, "port");
    const auto ports = split(given ? *given : std::string());
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
    if (given) set(out, "port", numbers);
    return out;
}

}  // namespace rondo::db::postgres
