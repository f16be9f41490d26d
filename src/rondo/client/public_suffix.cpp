// SPDX-License-Identifier: Apache-2.0
#include <rondo/client/public_suffix.hpp>

#include <algorithm>

#include <libpsl.h>

#include <rondo/http/characters.hpp>

namespace rondo::detail {

namespace {

// Never freed: it is used until the program exits.
const psl_ctx_t* suffix_list() {
    static const psl_ctx_t* const loaded = psl_latest(nullptr);
    return loaded;
}

}  // namespace

void load_public_suffixes() { (void)suffix_list(); }

bool is_public_suffix(const std::string& domain) {
    return suffix_list() == nullptr || psl_is_public_suffix(suffix_list(), domain.c_str()) != 0;
}

std::string site_of(const std::string& host) {
    if (suffix_list() == nullptr || is_numeric_host(host)) return host;
    const std::size_t begin = host.find_first_not_of('.');
    if (begin == std::string::npos) return host;
    // libpsl finds no registrable domain for a name that begins with a dot.
    const std::string name = host.substr(begin, host.size() - begin - (host.ends_with('.') ? 1 : 0));
    const char* registered = psl_registrable_domain(suffix_list(), name.c_str());
    return registered == nullptr ? name : registered;
}

// As in browsers (https://url.spec.whatwg.org/#ends-in-a-number-checker): DNS names do not end in a number.
bool is_numeric_host(std::string_view host) noexcept {
    if (host.find(':') != std::string_view::npos) return true;
    if (host.ends_with('.')) host.remove_suffix(1);
    std::string_view last = host.substr(host.rfind('.') + 1);
    if (last.empty()) return false;
    const bool hex = last.size() >= 2 && last[0] == '0' && http::characters::to_lower(last[1]) == 'x';
    if (hex) last.remove_prefix(2);
    return std::ranges::all_of(
        last, [hex](char c) { return http::characters::is(c, hex ? http::characters::hex : http::characters::digit); });
}

}  // namespace rondo::detail
