// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>
#include <vector>

#include <rondo/http/authority.hpp>
#include <rondo/http/forwarded.hpp>
#include <rondo/http/forwarding.hpp>

#include "check.hpp"

namespace {

using namespace rondo::http;
using rondo::fuzz::check;

constexpr std::string_view names[] = {"X-Forwarded-For", "x-forwarded-proto", "X-Forwarded-Host", "Forwarded"};

// One field per line; its first byte says which.
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
        const slice at{static_cast<std::uint32_t>(bytes.size()), static_cast<std::uint32_t>(text.size())};
        bytes += text;
        return at;
    }
    [[nodiscard]] fields_view view() const { return {bytes.data(), fields}; }
};

// What a proxy passes on passes the next one as it is.
void check_passed_on(const fields_view& fields) {
    head next(std::string_view{});
    const std::string addresses = checked_forwarded_for(fields);
    const std::string elements = checked_forwarded(fields);
    next.add("X-Forwarded-For", addresses);
    next.add("Forwarded", elements);
    check(checked_forwarded_for(next.view()) == addresses);
    check(checked_forwarded(next.view()) == elements);
    check(std::ranges::count(elements, '"') % 2 == 0 && elements.find('\\') == std::string::npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const allow_list trusted = allow_list::of({"10.0.0.0/8", "fd00::/8"});
    head of(rondo::fuzz::as_text(data, size));
    for (const auto which : {forwarded_fields::automatic, forwarded_fields::x_forwarded, forwarded_fields::forwarded}) {
        const forwarded told = read_forwarded(of.view(), trusted, which);
        check(told.scheme.empty() || told.scheme == "http" || told.scheme == "https");
        check(told.host.empty() || valid_authority(told.host));
        if (told.client) check(ip_address::parse(told.client->text()) == told.client);
    }
    check_passed_on(of.view());
    // Whatever a client sends, what a proxy adds behind it decides.
    of.add("X-Forwarded-For", "203.0.113.7");
    of.add("Forwarded", "for=203.0.113.7");
    for (const auto which : {forwarded_fields::x_forwarded, forwarded_fields::forwarded})
        check(read_forwarded(of.view(), trusted, which).client == ip_address::parse("203.0.113.7"));
    return 0;
}
