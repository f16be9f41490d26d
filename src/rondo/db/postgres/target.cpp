// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/postgres/target.hpp>

#include <libpq-fe.h>

#include <algorithm>
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

// What the program relies on: times in UTC and in the form of ISO 8601.
constexpr std::string_view session_options = "-c TimeZone=UTC -c DateStyle=ISO";

// What is not said in the URL. A dead peer is noticed within a minute.
constexpr std::pair<const char*, const char*> defaults[] = {
    {"client_encoding", "UTF8"}, {"fallback_application_name", "rondo"}, {"gssencmode", "disable"},
    {"keepalives_idle", "30"},   {"keepalives_interval", "10"},          {"keepalives_count", "3"},
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

// What libpq quotes may be a part of the password.
std::string without_quotes(std::string message) {
    const std::size_t first = message.find('"');
    const std::size_t last = message.rfind('"');
    if (message.find("percent-encoded") != std::string::npos && first < last)
        message.replace(first, last - first + 1, "...");
    return message;
}

}  // namespace

target parse_target(const std::string& url) {
    char* message = nullptr;
    const std::unique_ptr<PQconninfoOption, void (*)(PQconninfoOption*)> parsed(PQconninfoParse(url.c_str(), &message),
                                                                                PQconninfoFree);
    if (!parsed) {
        const std::unique_ptr<char, void (*)(void*)> owned(message, PQfreemem);
        throw std::invalid_argument(fmt::format(
            "the database URL '{}' is not one of PostgreSQL: {}: write postgres://user:password@host:5432/name",
            shown_url(url), message ? without_quotes(one_line(message)) : "no memory"));
    }
    target t;
    for (const PQconninfoOption* o = parsed.get(); o->keyword; ++o)
        if (o->val) t.parameters.emplace_back(o->keyword, o->val);
    for (const auto& [name, value] : defaults)
        if (!value_of(t.parameters, name)) t.parameters.emplace_back(name, value);
    const std::string* given = value_of(t.parameters, "options");
    set(t.parameters, "options", given ? fmt::format("{} {}", session_options, *given) : std::string(session_options));
    t.shown = shown_url(url);
    return t;
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
