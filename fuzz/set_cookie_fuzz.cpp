// SPDX-License-Identifier: Apache-2.0
#include <string>

#include <rondo/client/cookie.hpp>
#include <rondo/client/cookie_jar.hpp>
#include <rondo/client/public_suffix.hpp>
#include <rondo/http/url.hpp>

#include "check.hpp"

// The first line is a Location that is followed, the others are Set-Cookie lines of what is there.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace rondo;
    using rondo::fuzz::check;
    std::string_view text = fuzz::as_text(data, size);
    const std::size_t line_end = std::min(text.find('\n'), text.size());
    static const auto begin = *http::url::parse("https://a.example.co.uk:8443/x/y?q");
    const auto from = begin.resolve(text.substr(0, line_end));
    if (!from) return 0;
    check(from->unix_path.empty());
    check(from->target.starts_with('/'));
    const auto again = http::url::parse(from->text());
    check(again && again->origin() == from->origin() && again->target == from->target);
    text.remove_prefix(std::min(line_end + 1, text.size()));
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const auto c = detail::parse_set_cookie(*from, text.substr(0, end), 1'000'000'000);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (!c) continue;
        check(!c->name.empty() && c->name.size() + c->value.size() <= cookie_jar::largest);
        check(c->path.starts_with('/'));
        check(c->host_only ? c->domain == from->host : detail::domain_matches(from->host, c->domain));
        check(c->host_only || !detail::is_public_suffix(c->domain));
        check(c->host_only || detail::site_of(c->domain) == detail::site_of(from->host));
        check(!c->secure || from->secure());
    }
    return 0;
}
