// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/postgres/connect_target.hpp>

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
#include <rondo/db/postgres/errors.hpp>
#include <rondo/db/url.hpp>

namespace rondo::db::postgres {

namespace {

// Defaults for what the URL does not set. A dead peer is detected within a minute, also with unacknowledged data.
constexpr std::pair<const char*, const char*> default_parameters[] = {
    {"fallback_application_name", "rondo"}, {"gssencmode", "disable"}, {"keepalives_idle", "30"},
    {"keepalives_interval", "10"},          {"keepalives_count", "3"}, {"tcp_user_timeout", "60000"},
};

const std::string* find_parameter(const connect_parameters& parameters, std::string_view name) {
    for (const auto& [n, value] : parameters)
        if (n == name) return &value;
    return nullptr;
}

void set_parameter(connect_parameters& parameters, std::string_view name, std::string value) {
    for (auto& [n, v] : parameters) {
        if (n != name) continue;
        v = std::move(value);
        return;
    }
    parameters.emplace_back(name, std::move(value));
}

std::vector<std::string> split_list(std::string_view list) {
    std::vector<std::string> parts;
    for (;;) {
        const std::size_t comma = list.find(',');
        parts.emplace_back(list.substr(0, comma));
        if (comma == std::string_view::npos) return parts;
        list.remove_prefix(comma + 1);
    }
}

bool is_host_name(const std::string& host) {
    in6_addr buffer{};
    return !host.empty() && host.front() != '/' && host.front() != '@' &&
           inet_pton(AF_INET, host.c_str(), &buffer) != 1 && inet_pton(AF_INET6, host.c_str(), &buffer) != 1;
}

std::vector<std::string> resolve_host(const std::string& host, std::string& message) {
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

void append_item(std::string& list, const std::string& item, bool first) {
    if (!first) list += ',';
    list += item;
}

void add_secret(connect_target& to, std::string_view part) {
    if (part.empty()) return;
    to.secrets.emplace_back(part);
    if (auto plain = codec::percent_decode(part); plain && *plain != part) to.secrets.push_back(*std::move(plain));
}

// A password may contain '@', '&' and '#'.
void find_secrets(connect_target& target, std::string_view url) {
    const std::size_t scheme_end = url.find("://");
    const std::size_t at = url.rfind('@');
    const std::size_t colon = url.find(':', scheme_end == url.npos ? 0 : scheme_end + 3);
    if (at != url.npos && colon < at) add_secret(target, url.substr(colon + 1, at - colon - 1));
    for (std::size_t equals = url.find('='); equals != url.npos; equals = url.find('=', equals + 1)) {
        const std::size_t before = url.substr(0, equals).find_last_of("?&");
        const std::size_t begin = before == url.npos ? 0 : before + 1;
        if (!codec::is_secret_name(url.substr(begin, equals - begin))) continue;
        add_secret(target, url.substr(equals + 1));
        break;
    }
    target.has_quote = url.find('"') != url.npos || url.find("%22") != url.npos;
}

std::string to_lowercase(std::string text) {
    for (char& c : text)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return text;
}

// The program reads and writes UTF-8 only.
void set_encoding(connect_parameters& parameters, const std::string& display_url) {
    const std::string* configured = find_parameter(parameters, "client_encoding");
    std::string name = configured ? to_lowercase(*configured) : "utf8";
    std::erase(name, '-');
    if (name != "utf8" && name != "unicode")
        throw std::invalid_argument(
            fmt::format("invalid database URL '{}': client_encoding={} is not supported; only UTF-8 is, leave it out",
                        display_url, *configured));
    set_parameter(parameters, "client_encoding", "UTF8");
}

// The time zone comes first, so that the URL may override it: times are read correctly in every zone.
std::string make_options(const std::string* configured) {
    std::string options;
    for (const pinned_setting& s : pinned_settings) {
        options += fmt::format("{}-c {}={}", options.empty() ? "" : " ", s.name, s.value);
        if (configured && &s == pinned_settings) options += " " + *configured;
    }
    return options;
}

void mask(std::string& message, const std::string& text) {
    for (std::size_t at = message.find(text); at != std::string::npos; at = message.find(text, at + 3))
        message.replace(at, text.size(), "...");
}

// Replaces everything from the first quote of a message to the last.
std::string mask_quoted(std::string message) {
    const std::size_t begin = message.find('"');
    const std::size_t end = message.rfind('"');
    if (begin != std::string::npos && begin < end) message.replace(begin + 1, end - begin - 1, "...");
    return message;
}

}  // namespace

connect_target parse_target(const std::string& url) {
    char* message = nullptr;
    const std::unique_ptr<PQconninfoOption, void (*)(PQconninfoOption*)> parsed(PQconninfoParse(url.c_str(), &message),
                                                                                PQconninfoFree);
    if (!parsed) {
        const std::unique_ptr<char, void (*)(void*)> owned(message, PQfreemem);
        connect_target invalid;
        find_secrets(invalid, url);
        throw std::invalid_argument(
            fmt::format("invalid PostgreSQL URL '{}': {}; expected postgres://user:password@host:5432/name",
                        redacted_url(url), message ? invalid.redact(to_single_line(message)) : "out of memory"));
    }
    connect_target t;
    t.display_url = redacted_url(url);
    find_secrets(t, url);
    for (const PQconninfoOption* o = parsed.get(); o->keyword; ++o)
        if (o->val) t.parameters.emplace_back(o->keyword, o->val);
    for (const auto& [name, value] : default_parameters)
        if (!find_parameter(t.parameters, name)) t.parameters.emplace_back(name, value);
    set_encoding(t.parameters, t.display_url);
    // As libpq does, which ignores PGOPTIONS when options are given.
    const char* environment_options = std::getenv("PGOPTIONS");
    if (environment_options && !find_parameter(t.parameters, "options"))
        t.parameters.emplace_back("options", environment_options);
    const std::string* configured = find_parameter(t.parameters, "options");
    t.options = make_options(configured);
    t.has_own_time_zone = configured && to_lowercase(*configured).find("timezone") != std::string::npos;
    return t;
}

connect_parameters connect_target::with_options(connect_parameters to) const {
    set_parameter(to, "options", options);
    return to;
}

bool connect_target::is_secret(std::string_view text) const {
    if (text.find('@') != text.npos || text.find("://") != text.npos) return true;
    return text.size() > 1 && std::ranges::any_of(secrets, [text](const std::string& secret) {
               return secret.find(text) != std::string::npos;
           });
}

// Masks quoted text that is part of a secret or contains one, whatever the words around it: they may be translated. So
// may a server's quotes: values that may be parts of a password are masked everywhere.
std::string connect_target::redact(std::string message) const {
    for (const char* name : {"dbname", "host", "port"})
        if (const std::string* value = find_parameter(parameters, name);
            value && value->size() > 2 && is_secret(*value))
            mask(message, *value);
    if (has_quote) return mask_quoted(std::move(message));
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
    const std::string* host = find_parameter(parameters, "host");
    if (!host || find_parameter(parameters, "hostaddr")) return false;
    const auto hosts = split_list(*host);
    return std::ranges::any_of(hosts, is_host_name);
}

std::optional<connect_parameters> resolve_hosts(const connect_parameters& parameters, std::string& message) {
    const auto hosts = split_list(*find_parameter(parameters, "host"));
    const std::string* configured = find_parameter(parameters, "port");
    const auto ports = split_list(configured ? *configured : std::string());
    std::string names;
    std::string addresses;
    std::string numbers;
    bool first = true;
    for (std::size_t i = 0; i < hosts.size(); ++i) {
        std::vector<std::string> found{std::string()};
        if (is_host_name(hosts[i])) found = resolve_host(hosts[i], message);
        for (const std::string& address : found) {
            append_item(names, hosts[i], first);
            append_item(addresses, address, first);
            append_item(numbers, ports.size() == 1 ? ports[0] : i < ports.size() ? ports[i] : std::string(), first);
            first = false;
        }
    }
    if (first) return std::nullopt;
    connect_parameters out = parameters;
    set_parameter(out, "host", names);
    set_parameter(out, "hostaddr", addresses);
    if (configured) set_parameter(out, "port", numbers);
    return out;
}

}  // namespace rondo::db::postgres
