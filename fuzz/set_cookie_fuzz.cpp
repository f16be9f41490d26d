// SPDX-License-Identifier: Apache-2.0
#include <string>

#include <rondo/client/cookie.hpp>
#include <rondo/client/cookie_jar.hpp>
#include <rondo/client/public_suffix.hpp>
#include <rondo/http/url.hpp>

#include "check.hpp"

// The first line is a Location to resolve, the others are Set-Cookie fields of the response from there.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace rondo;
    using rondo::fuzz::check;
    std::string_view text = fuzz::as_text(data, size);
    const std::size_t line_end = std::min(text.find('\n'), text.size());
    static const auto base = *http::url::parse("https://a.example.co.uk:8443/x/y?q");
    const auto target_url = base.resolve(text.substr(0, line_end));
    if (!target_url) return 0;
    check(target_url->unix_path.empty());
    check(target_url->target.starts_with('/'));
    const auto reparsed = http::url::parse(target_url->text());
    check(reparsed && reparsed->origin() == target_url->origin() && reparsed->target == target_url->target);
    text.remove_prefix(std::min(line_end + 1, text.size()));
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const auto c = detail::parse_set_cookie(*target_url, text.substr(0, end), 1'000'000'000);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (!c) continue;
        check(!c->name.empty() && c->name.size() + c->value.size() <= cookie_jar::max_cookie_bytes);
        check(c->path.starts_with('/'));
        check(c->host_only ? c->domain == target_url->host : detail::domain_matches(target_url->host, c->domain));
        check(c->host_only || !detail::is_public_suffix(c->domain));
        check(c->host_only || detail::site_of(c->domain) == detail::site_of(target_url->host));
        check(!c->secure || target_url->is_secure());
    }
    return 0;
}
