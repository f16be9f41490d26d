// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>
#include <vector>

#include <rondo/http/authority.hpp>
#include <rondo/http/forwarded.hpp>
#include <rondo/http/sanitized_forwarded.hpp>

#include "check.hpp"

namespace {

using namespace rondo::http;
using rondo::fuzz::check;

constexpr std::string_view names[] = {"X-Forwarded-For", "x-forwarded-proto", "X-Forwarded-Host", "Forwarded"};

// One field per line; its first byte chooses the name.
struct head {
    std::string bytes;
    std::vector<field_ref> fields;

    explicit head(std::string_view lines) {
        while (!lines.empty()) {
            const std::string_view line = lines.substr(0, lines.find('\n'));
            lines.remove_prefix(std::min(line.size() + 1, lines.size()));
            if (!line.empty()) add(names[static_cast<unsigned char>(line[0]) % 4], line.substr(1));
        }
    }
    void add(std::string_view name, std::string_view value) { fields.push_back({put(name), put(value)}); }
    slice put(std::string_view text) {
        const slice added{static_cast<std::uint32_t>(bytes.size()), static_cast<std::uint32_t>(text.size())};
        bytes += text;
        return added;
    }
    [[nodiscard]] fields_view view() const { return {bytes.data(), fields}; }
};

// Sanitized fields must pass another proxy unchanged.
void check_sanitized(const fields_view& fields) {
    head next(std::string_view{});
    const std::string addresses = sanitized_forwarded_for(fields);
    const std::string elements = sanitized_forwarded(fields);
    next.add("X-Forwarded-For", addresses);
    next.add("Forwarded", elements);
    check(sanitized_forwarded_for(next.view()) == addresses);
    check(sanitized_forwarded(next.view()) == elements);
    check(std::ranges::count(elements, '"') % 2 == 0 && elements.find('\\') == std::string::npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const allow_list trusted = allow_list::parse({"10.0.0.0/8", "fd00::/8"});
    head received(rondo::fuzz::as_text(data, size));
    for (const auto which : {forwarded_fields::automatic, forwarded_fields::x_forwarded, forwarded_fields::forwarded}) {
        const forwarded result = read_forwarded(received.view(), trusted, which);
        check(result.scheme.empty() || result.scheme == "http" || result.scheme == "https");
        check(result.host.empty() || is_valid_authority(result.host));
        if (result.client) check(ip_address::parse(result.client->text()) == result.client);
    }
    check_sanitized(received.view());
    // Whatever a client sends, the element appended by a proxy must decide.
    received.add("X-Forwarded-For", "203.0.113.7");
    received.add("Forwarded", "for=203.0.113.7");
    for (const auto which : {forwarded_fields::x_forwarded, forwarded_fields::forwarded})
        check(read_forwarded(received.view(), trusted, which).client == ip_address::parse("203.0.113.7"));
    return 0;
}
